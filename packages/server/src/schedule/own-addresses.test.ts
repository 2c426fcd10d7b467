import { formatAddress, type NodeStatus, parseAddress, parseBlock, usableCount } from '@berth/core'
import { expect, it } from 'vitest'
import { nodeStatus } from '../agents/agent-peer.testing.ts'
import { openAgents } from '../agents/agents-under-test.testing.ts'
import { eventually } from '../eventually.testing.ts'
import { LiveBooks } from './live-books.ts'

const request = { entrypoint: 'shop/production/web', cpuMilli: 0 }

it.each<[string, NodeStatus['network'] | undefined, number]>([
  ['an agent that tells nothing', undefined, 254],
  ['a bridge', { driver: 'bridge' }, 254],
  ['a routed network', { driver: 'routed' }, 238],
  ['a bridge that is to become one', { driver: 'bridge', wanted: 'routed' }, 238],
  ['a routed network that is to become a bridge', { driver: 'routed', wanted: 'bridge' }, 238],
])('instances of a node with %s', async (_, network, last) => {
  await using agents = await openAgents()
  const { state } = agents.under
  using books = new LiveBooks({ state, isOnline: (node) => agents.links.isOnline(node) })
  const peer = await agents.dial('a')
  const status = { ...nodeStatus('a'), ...(network === undefined ? {} : { network }) }
  await peer.send({ type: 'hello', node: status, instances: [] })
  await eventually(() =>
    expect(state.nodeStatuses.get('a')).toMatchObject({ online: true, ...(network && { network }) }),
  )
  books.touchNode('a')
  const block = parseBlock(state.nodes.get('a')?.block ?? '')
  const given: string[] = []
  for (let n = 0; n <= usableCount(block); n++) {
    const placed = books.place(`shop.production.web-${n}`, request)
    if (!placed.placed) break
    given.push(placed.record.address)
  }
  expect(new Set(given).size).toBe(last - 1)
  expect(Math.max(...given.map(parseAddress))).toBe(block.base + last)
  expect(given).toContain(formatAddress(block.base + 2))
})
