import { expect, it } from 'vitest'
import { nodeStatus } from '../agents/agent-peer.testing.ts'
import { openAgents } from '../agents/agents-under-test.testing.ts'
import { eventually } from '../eventually.testing.ts'
import { LiveBooks } from './live-books.ts'

const names = ['a', 'b', 'c']
const request = { entrypoint: 'shop/production/web', cpuMilli: 500, strategy: { type: 'balance' as const } }

it('what agents say with their heartbeats decides where `balance` places, and is not stored', async () => {
  await using agents = await openAgents({ silenceMs: 1000 })
  const { state } = agents.under
  const use = new Map([
    ['a', 3000],
    ['b', 1000],
    ['c', 2000],
  ])
  let now = 0
  using books = new LiveBooks({ state, isOnline: (node) => agents.links.isOnline(node), now: () => now })
  for (const name of names) {
    const peer = await agents.dial(name)
    peer.use = { cpuMilli: use.get(name) ?? 0, memoryBytes: 1 }
    await peer.send({ type: 'hello', node: nodeStatus(name), instances: [] })
  }
  await eventually(() => expect(names.map((name) => state.nodeStatuses.get(name)?.online)).toEqual([true, true, true]))
  for (const name of names) books.touchNode(name)
  const told = () =>
    new Map(
      agents.reports.flatMap(([node, line]) =>
        line.type === 'pong' && line.use !== undefined ? [[node, line.use.cpuMilli]] : [],
      ),
    )
  await eventually(() => expect(told()).toEqual(use))
  const { revision } = state
  for (const [node, cpuMilli] of told()) books.measured(node, cpuMilli)
  expect(state.revision).toBe(revision)

  const nodes = Array.from({ length: 4 }, (_, n) => {
    const placed = books.place(`shop.production.web-${n + 1}`, request)
    return placed.placed ? placed.record.node : placed.message
  })
  // b from 1000 to 2000, where it is as used as c; what was placed is counted as if it were used in full.
  expect(nodes.slice(0, 2)).toEqual(['b', 'b'])
  expect(nodes.slice(2).sort()).toEqual(['b', 'c'])

  // It was placed just before the next measurement, which cannot have seen it yet.
  now += 15_000
  for (const name of names) books.measured(name, 1000)
  const next = books.place('shop.production.web-9', request)
  expect(next).toMatchObject({ placed: true, record: { node: 'a' } })
  now += 15_000
  for (const name of names) books.measured(name, name === 'b' ? 900 : 1500)
  expect(books.place('shop.production.web-10', request)).toMatchObject({ record: { node: 'b' } })
})
