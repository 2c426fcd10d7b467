import type { DropsReport, FlowsReport } from '@berth/api'
import { BerthError, type Flow } from '@berth/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TestCluster, testSpec } from '../controllers/cluster.testing.ts'
import { liveFlowGroups, liveFlows } from './live-flows.ts'
import { planProfiles } from './plan-profiles.ts'
import { Profiles } from './profiles.ts'
import { recentDrops } from './recent-drops.ts'

let cluster: TestCluster
let web: string
let db: string
let node: string
const call = { actor: 'test' }
const { signal } = new AbortController()
beforeAll(async () => {
  cluster = await TestCluster.start()
  const profiles = new Profiles(cluster.records)
  await profiles.put('web', { inbound: [] }, {}, call)
  await profiles.put('db', { inbound: ['tcp:5432 from web'], outbound: [] }, {}, call)
  cluster.commits.set('c1', testSpec({ web: { profiles: ['web'] }, db: { profiles: ['db'] }, free: {} }))
  await cluster.deploy('c1')
  const addressOf = (id: string): string => cluster.state.instances.get(id)?.address ?? ''
  ;[web, db] = [addressOf('shop.production.web-1'), addressOf('shop.production.db-1')]
  node = cluster.state.instances.get('shop.production.db-1')?.node ?? ''
})
afterAll(() => cluster[Symbol.asyncDispose]())

interface Answers {
  readonly flows?: FlowsReport | BerthError
  readonly drops?: DropsReport
}

const asked: { readonly node: string; readonly body?: unknown }[] = []
const options = ({ flows = { flows: [], more: 0 }, drops = { isFull: false, drops: [] } }: Answers) => ({
  ...{ state: cluster.state, signal },
  agents: {
    request: async <T>(
      name: string,
      { path, body }: { readonly path: string; readonly body?: unknown },
    ): Promise<T> => {
      asked.push({ node: name, body })
      if (flows instanceof BerthError) throw flows
      return (path === '/v1/flows' ? flows : drops) as T
    },
  },
})
const flow = (more: Partial<Flow> = {}): Flow => ({
  ...{ protocol: 'tcp', source: web, sourcePort: 4000, destination: db, destinationPort: 5432 },
  ...{ state: 'ESTABLISHED', isAnswered: true, ...more },
})

describe('liveFlows', () => {
  it('names both ends and says what the rules say', async () => {
    const flows = [flow(), flow({ destinationPort: 5433, isAnswered: false }), flow({ source: '192.0.2.9' }), flow()]
    const found = await liveFlows({}, options({ flows: { flows, more: 2 } }))
    expect(found.flows).toMatchObject([
      {
        from: { kind: 'outside', name: '192.0.2.9' },
        ...{ allowed: false, inbound: { message: 'no inbound rule of profile db allows it' } },
      },
      {
        from: { name: 'shop.production.web-1', entrypoint: 'shop/production/web' },
        to: { name: 'shop.production.db-1', node },
        ...{ port: 5432, sourcePort: 4000, state: 'ESTABLISHED', answered: true, allowed: true },
        inbound: { profile: 'db', number: 1 },
      },
      { port: 5433, answered: false, allowed: false, outbound: { allowed: true }, inbound: { allowed: false } },
    ])
    const few = await liveFlows({ limit: 1 }, options({ flows: { flows, more: 2 } }))
    expect([few.flows.length, few.more]).toEqual([1, found.more + 2])
  })

  it('asks the nodes that know, for what is asked', async () => {
    asked.length = 0
    await liveFlows({ of: 'shop/db' }, options({}))
    expect(asked).toEqual([{ node, body: { of: [db] } }])
    await liveFlows({ of: 'shop.production.db-1' }, options({}))
    await liveFlows({ of: 'shop/production/db' }, options({}))
    expect(asked.slice(1)).toEqual([asked[0], asked[0]])
  })

  it('says who did not answer, and what is nobody', async () => {
    const silent = await liveFlows({}, options({ flows: new BerthError('policy.no-conntrack', 'install conntrack') }))
    expect(silent.flows).toEqual([])
    expect(silent.silent).toContainEqual({ node, message: 'install conntrack' })
    await expect(liveFlows({ of: 'nothing' }, options({}))).rejects.toMatchObject({ code: 'net.unknown-end' })
    await expect(liveFlows({ of: 'shop/none' }, options({}))).rejects.toMatchObject({ code: 'net.no-instance' })
  })
})

describe('liveFlowGroups', () => {
  it('counts by entrypoint, port and what the rules say, without probes unless they are asked for', async () => {
    const own = cluster.state.nodes.get(node)?.address ?? ''
    const flows = [
      ...[flow(), flow({ sourcePort: 4001 }), flow({ destinationPort: 5433 })],
      ...['192.0.2.9', '192.0.2.10'].map((source) => flow({ source })),
      flow({ source: own, state: 'TIME_WAIT' }),
    ]
    const answers = options({ flows: { flows, more: 0 } })
    const found = await liveFlowGroups({}, answers)
    const [client, server] = ['web', 'db'].map((name) => ({ kind: 'instance', name: `shop/production/${name}` }))
    const message = 'no inbound rule of profile db allows it'
    expect(found).toMatchObject({ flows: 5, probes: 1, more: 0 })
    expect(found.groups.map(({ bytes: _, protocol: __, ...group }) => group)).toEqual(
      expect.arrayContaining([
        { from: client, to: server, port: 5432, flows: 2, allowed: true, message: '' },
        { from: { kind: 'outside', name: '' }, to: server, port: 5432, flows: 2, allowed: false, message },
        { from: client, to: server, port: 5433, flows: 1, allowed: false, message },
      ]),
    )
    const all = await liveFlowGroups({ probes: true }, answers)
    expect(all).toMatchObject({ flows: 6, probes: 0 })
    expect(all.groups).toContainEqual(expect.objectContaining({ from: { kind: 'node', name: node }, allowed: true }))
    expect(await liveFlows({}, answers)).toMatchObject({ probes: 1, more: 0 })
    expect((await liveFlows({ probes: true }, answers)).flows).toHaveLength(6)
    const few = await liveFlowGroups({ limit: 1 }, answers)
    expect([few.groups.length, few.more]).toEqual([1, 3])
  })
})

describe('recentDrops', () => {
  const drop = () => ({ source: web, destination: db, protocol: 'tcp', port: 1, packets: 2, bytes: 120, at: 1000 })
  const drops = (): DropsReport['drops'] => [
    { ...drop(), by: { end: 'in', profiles: ['db'] } as const },
    { ...drop(), port: 2, at: 2000, by: { end: 'out', profile: 'web', number: 3, rule: 'deny tcp:2' } as const },
    { ...drop(), port: 3, at: 500 },
  ]

  it('names both ends and the rule, the latest first', async () => {
    const found = await recentDrops({ of: 'shop/db' }, options({ drops: { isFull: true, drops: drops() } }))
    const own = found.drops.filter((each) => each.node === node)
    expect(own).toMatchObject([
      { port: 2, end: 'out', profile: 'web', message: 'outbound rule 3 of profile web denies it: deny tcp:2' },
      {
        from: { name: 'shop.production.web-1' },
        port: 1,
        end: 'in',
        message: 'no inbound rule of profile db allows it',
      },
      { port: 3, message: 'a rule that is no more dropped it' },
    ])
    expect(found.full).toContain(node)
    expect(
      (await recentDrops({ of: 'shop/free' }, options({ drops: { isFull: false, drops: drops() } }))).drops,
    ).toEqual([])
  })
})

describe('planProfiles', () => {
  const flows = (): FlowsReport => ({
    ...{ flows: [flow(), flow({ sourcePort: 4001 }), flow({ destinationPort: 80 })], more: 0 },
  })

  it('tells which flows another profile would cut, and by whom', async () => {
    const profiles = [{ name: 'db', inbound: ['tcp:80 from web'], outbound: [] }]
    const plan = await planProfiles({ profiles }, options({ flows: flows() }))
    const group = { from: 'shop/production/web', to: 'shop/production/db', protocol: 'tcp' }
    expect(plan).toMatchObject({
      ...{ profiles: ['db'], flows: 3, cutFlows: 2, openedFlows: 1, more: 0, silent: [] },
      cut: [{ ...group, port: 5432, flows: 2, message: 'no inbound rule of profile db allows it' }],
      opened: [{ ...group, port: 80, flows: 1 }],
    })
    expect(plan.cut[0]?.examples[0]).toMatchObject({ from: { address: web }, to: { address: db } })
  })

  it('tells nothing of a change that changes nothing', async () => {
    const same = { id: 'db', inbound_rules: [{ action: 'allow', protocol: 'tcp', src_tag: 'web', dst_ports: [5432] }] }
    const plan = await planProfiles({ profiles: [{ ...same, outbound_rules: [] }] }, options({ flows: flows() }))
    expect(plan).toMatchObject({ cutFlows: 0, openedFlows: 0 })
  })

  it('counts what a first default profile means, and a profile that goes', async () => {
    const toFree = cluster.state.instances.get('shop.production.free-1')?.address ?? ''
    const free = { flows: [flow({ destination: toFree })], more: 0 }
    const closed = await planProfiles({ profiles: [{ name: 'default', inbound: [] }] }, options({ flows: free }))
    expect(closed.cut).toMatchObject([{ to: 'shop/production/free', flows: 1 }])
    const gone = await planProfiles({ profiles: [], remove: ['web'] }, options({ flows: flows() }))
    expect(gone.cutFlows).toBe(2)
  })

  it('refuses what is no profile', async () => {
    const plan = (profile: Record<string, unknown>) => planProfiles({ profiles: [profile] }, options({}))
    await expect(plan({ inbound: [] })).rejects.toMatchObject({ code: 'profile.unnamed' })
    await expect(plan({ name: 'db', inbound: ['what'] })).rejects.toMatchObject({ code: 'profile.invalid' })
  })
})
