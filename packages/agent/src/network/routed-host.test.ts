import { parseBlock } from '@berth/core'
import { describe, expect, it } from 'vitest'
import type { HostRoute } from './host-state.ts'
import { findCollision, planNetwork, planRoutes } from './network-plan.ts'
import { missingRoutes, requireArpAnswers } from './routed-host.ts'

const config = {
  pool: '10.77.0.0/16',
  block: '10.77.3.0/24',
  peers: [{ node: 'b', block: '10.77.2.0/24', via: '192.168.0.2' }],
  domain: 'berth',
  defaultPool: 'production',
}
const plan = planNetwork(config)
const blockRoute: HostRoute = { type: 'unreachable', dst: '10.77.3.0/24' }
const routeTo = (address: string, dev: string): HostRoute => ({
  dst: address,
  dev,
  scope: 'link',
  prefsrc: '10.77.3.1',
})
const link = 'berth-0a4d030b'

describe('routes of a routed node', () => {
  it('are one for its block, and one for each container that has lost its own', () => {
    expect(missingRoutes(plan, [link], [])).toEqual([
      ['unreachable', '10.77.3.0/24', 'proto', '78'],
      ['10.77.3.11/32', 'dev', link, 'scope', 'link', 'src', '10.77.3.1', 'proto', '78'],
    ])
  })

  it('are none when all are there', () => {
    expect(missingRoutes(plan, [link], [blockRoute, routeTo('10.77.3.11', link)])).toEqual([])
  })

  it('to a container that has a link to its node alone bear the one address that this knows', () => {
    expect(missingRoutes(plan, ['berth-a9fe5002'], [blockRoute])).toEqual([
      ['169.254.80.2/32', 'dev', 'berth-a9fe5002', 'scope', 'link', 'src', '169.254.77.1', 'proto', '78'],
    ])
  })

  it('are one for each of its blocks', () => {
    const wider = planNetwork({ ...config, blocks: ['10.77.9.0/24'], addresses: ['10.77.2.7'] })
    expect(missingRoutes(wider, [], [blockRoute])).toEqual([['unreachable', '10.77.9.0/24', 'proto', '78']])
    expect(missingRoutes(wider, [], [blockRoute, { type: 'unreachable', dst: '10.77.9.0/24' }])).toEqual([])
  })

  it('lead to the link of their address, and to no other', () => {
    expect(missingRoutes(plan, [link], [blockRoute, routeTo('10.77.3.11', 'berth-0a4d030c')])).toHaveLength(1)
    expect(missingRoutes(plan, ['berth-x', 'berthc0a4d030b'], [blockRoute])).toEqual([])
  })

  it('are neither in the way of the pool nor taken for routes to peers', () => {
    const here = { ...routeTo('10.77.3.11', link), protocol: '78' }
    expect(findCollision(parseBlock('10.77.0.0/16'), [here])).toBeUndefined()
    const { steps, problems } = planRoutes(plan, [here], true)
    expect(problems).toEqual([])
    expect(steps.map((step) => step.block)).toEqual(['10.77.2.0/24'])
  })
})

describe('a kernel that does not answer for addresses of lo', () => {
  it('is told, with what to do', async () => {
    await requireArpAnswers(async () => '0\n')
    await expect(requireArpAnswers(async () => '1\n')).rejects.toMatchObject({
      code: 'network.arp-ignored',
      message: expect.stringContaining('arp_ignore is 1: set it to 0'),
    })
  })
})
