import type { AddressPoolView, AddressView } from '@berth/api/address-resources'
import type { FlowGroupEnd, FlowGroupView, MatrixPartyView, NetEnd } from '@berth/api/net-resources'
import { parseProfile } from '@berth/api/policy/parse-profile'
import type { NodeRoutesView, RoutingView } from '@berth/api/routing-resources'
import { BerthError } from '@berth/core/model/berth-error'
import { twinOf, twinRange } from '@berth/core/network/twin-address'
import { decidePacket } from '@berth/core/policy/decide-packet'
import { formatRule, profileDocument } from '@berth/core/policy/format-profile'
import { type MatrixParty, policyMatrix } from '@berth/core/policy/policy-matrix'
import type { PolicyWorld } from '@berth/core/policy/policy-world'
import { type JsonHandlers, need } from './handlers.ts'
import type { MockStore } from './mock-store.ts'
import { namedProfiles, profileView, readOrThrow } from './seed-network.ts'

const addressOf = (n: number): string => `10.77.${100 + Math.floor(n / 200)}.${2 + (n % 200)}`

/** Everybody with an address of their own: those of the seed may share some. */
function partiesOf(store: MockStore): { readonly parties: readonly MatrixParty[]; readonly world: PolicyWorld } {
  const endpoints = new Map<string, { node: string; profiles: readonly string[] }>()
  const addresses = new Map<string, string[]>()
  for (const [n, each] of store.all('listInstances').entries()) {
    const name = `${each.app}/${each.pool}/${each.entrypoint}`
    endpoints.set(addressOf(n), { node: each.node ?? '', profiles: namedProfiles[name] ?? [] })
    addresses.set(name, [...(addresses.get(name) ?? []), addressOf(n)])
  }
  const externals = store.all('listExternals').filter((each) => each.addresses.length > 0)
  const world: PolicyWorld = {
    profiles: new Map(store.all('listProfiles').map(({ name, document }) => [name, readOrThrow(document)])),
    externals: new Map(externals.flatMap((each) => each.addresses.map((address) => [address, each.tags] as const))),
    nodes: new Map(),
    endpoints,
  }
  const parties: MatrixParty[] = [
    ...[...addresses].map(([name, all]) => ({ name, kind: 'instances' as const, addresses: all })),
    ...externals.map((each) => ({ name: each.name, kind: 'external' as const, addresses: each.addresses })),
    { name: '', kind: 'outside', addresses: [] },
  ]
  return {
    parties: parties.toSorted(
      (a, b) => Number(a.kind === 'outside') - Number(b.kind === 'outside') || a.name.localeCompare(b.name),
    ),
    world,
  }
}

const ends: Readonly<Record<string, FlowGroupEnd>> = {
  outside: { kind: 'outside', name: '' },
  web: { kind: 'instance', name: 'shop/production/web' },
  worker: { kind: 'instance', name: 'shop/production/worker' },
  api: { kind: 'instance', name: 'ledger/production/api' },
  query: { kind: 'instance', name: 'search/production/query' },
  index: { kind: 'instance', name: 'search/production/index' },
  gateway: { kind: 'node', name: 'anchor-1' },
  mysql: { kind: 'external', name: 'mysql.shop' },
}

const noRule = 'no inbound rule of profile db allows it'

const flows: readonly (readonly [from: string, to: string, port: number, flows: number, message?: string])[] = [
  ['gateway', 'web', 8080, 214],
  ['outside', 'web', 8080, 12],
  ['web', 'query', 9000, 48],
  ['web', 'worker', 9000, 9],
  ['worker', 'api', 3306, 31],
  ['worker', 'mysql', 3306, 6],
  ['query', 'index', 3306, 96],
  ['web', 'api', 3306, 3, noRule],
  ['web', 'outside', 443, 7],
]

const groupsOf = (extra: readonly FlowGroupView[]): FlowGroupView[] => [
  ...flows.flatMap(([from, to, port, count, message = '']): FlowGroupView[] => {
    const [sender, receiver] = [ends[from], ends[to]]
    if (sender === undefined || receiver === undefined) return []
    const rest = { allowed: message === '', message, flows: count, bytes: count * 48_211 }
    return [{ from: sender, to: receiver, protocol: 'tcp', port, ...rest }]
  }),
  ...extra,
]

const ended: FlowGroupView = {
  ...{ from: { kind: 'node', name: 'anchor-1' }, to: { kind: 'instance', name: 'shop/production/web' } },
  ...{ protocol: 'tcp', port: 8080, flows: 58, bytes: 24_000, allowed: true, message: '' },
}

/** What the network does. */
export function networkHandlers(store: MockStore): JsonHandlers {
  const users = (name: string): string[] =>
    Object.keys(namedProfiles).filter((each) => namedProfiles[each]?.includes(name))
  const profile = (name = '') => need(store.get('listProfiles', name), `profile ${name}`)
  let routing: RoutingView = {
    ...{ mode: 'bgp', as: 64_512, sites: { fra: 64_601 }, meshUpTo: 50, reflectors: 2, mesh: true, reflectorsOf: {} },
    peers: [{ name: 'core', address: '192.0.2.254', as: 65_000, hasPassword: true }],
    ...{ without: [], tables: [], searchDomains: ['corp.example'] },
  }
  return {
    getNetMatrix: ({ query }) => matrix(store, query),
    explainPacket: ({ query }) => explain(store, query),
    listFlowGroups: ({ query }) => {
      const groups = groupsOf(query.probes === 'true' ? [ended] : [])
      const count = groups.reduce((sum, each) => sum + each.flows, 0)
      const silent = [{ node: 'anchor-3', message: 'anchor-3 is not connected' }]
      return { groups, flows: count, more: 0, probes: query.probes === 'true' ? 0 : 58, silent }
    },
    listDrops: () => ({ drops: drops(), full: [], silent: [] }),
    getProfileUsers: ({ params: { name = '' } }) => ({ entrypoints: users(name), instances: profile(name).instances }),
    getProfileCounters: ({ params: { name = '' } }) => {
      const { inbound, outbound } = profile(name)
      const count = (end: 'in' | 'out') => (rule: string, index: number) => ({
        ...{ end, rule, number: index + 1, packets: 4_211 * (index + 1), bytes: 252_660 * (index + 1), nodes: [] },
      })
      const rest = { end: 'in' as const, profiles: [name], packets: 17, bytes: 1_020, nodes: [] }
      return {
        profile: name,
        rules: [...inbound.map(count('in')), rest, ...outbound.map(count('out'))],
        nodes: [],
        silent: [],
      }
    },
    validateProfile: ({ body }) => {
      const { profile: read, problems } = parseProfile(body.text)
      if (read === undefined) return { problems: problems.map(({ column: _, ...problem }) => problem) }
      const words = { inbound: read.inbound.map(formatRule), outbound: read.outbound.map(formatRule) }
      return { name: read.name, ...words, document: { ...profileDocument(read) }, problems: [] }
    },
    planProfiles: ({ body }) => {
      const [read] = body.profiles.map(readOrThrow)
      const cut = read.name === 'db' && read.inbound.length === 0
      const group = {
        from: 'shop/production/worker',
        to: 'ledger/production/api',
        protocol: 'tcp',
        port: 3306,
        flows: 31,
      }
      const plan = { profiles: [read.name], flows: 426, opened: [], openedFlows: 0, more: 0, silent: [] }
      return { ...plan, cutFlows: cut ? 31 : 0, cut: cut ? [{ ...group, message: noRule, examples: [] }] : [] }
    },
    putProfile: ({ params: { name = '' }, body }) => {
      const before = store.get('listProfiles', name)
      const rest = { version: (before?.version ?? 0) + 1, instances: before?.instances ?? 0, updatedAt: Date.now() }
      return store.put('listProfiles', profileView(readOrThrow(body), rest))
    },
    removeProfile: ({ params: { name = '' } }) => {
      const own = users(name)
      if (own.length > 0)
        throw new BerthError(
          'profile.in-use',
          `remove profile ${name}: ${own.join(', ')} would be closed; take it out of their berth.yaml and deploy first`,
        )
      store.remove('listProfiles', name)
      return { ok: true as const }
    },
    listAddresses: () => ({ items: addresses(store), silent: [] }),
    checkAddresses: () => ({
      findings: [
        {
          ...{ kind: 'left', address: '10.77.1.77', node: 'anchor-1', leak: true, released: false },
          message: 'Docker’s endpoint old-one with 10.77.1.77 on anchor-1 belongs to no container',
        },
      ],
      ...{ compared: { nodes: 3, instances: 41, containers: 42 }, silent: [] },
    }),
    listAddressPools: () => ({ items: pools }),
    getRouting: () => routing,
    updateRouting: ({ body }) => {
      const bad = body.searchDomains?.find((each: string) => each.includes('_'))
      if (bad !== undefined) throw new BerthError('search-domains.invalid', `search domains: ${bad} is no domain name`)
      routing = { ...routing, searchDomains: body.searchDomains ?? [] }
      return routing
    },
    getRoutingSessions: () => ({
      nodes: store
        .all('listNodes')
        .filter(({ online }) => online)
        .map(({ name }) => {
          const { node, mode, running, sessions } = routesOf(store, name)
          return { node, mode, running, sessions }
        }),
      silent: store
        .all('listNodes')
        .filter(({ online }) => !online)
        .map(({ name }) => ({ node: name, message: `${name} is not connected` })),
    }),
    getNodeRoutes: ({ params: { name = '' } }) => routesOf(store, name),
  }
}

function matrix(store: MockStore, query: Readonly<Record<string, string>>) {
  const of4 = partiesOf(store)
  const family = query.family === '6' ? 6 : 4
  const world = { ...of4.world, twins: [twinRange({ range: '10.77.0.0/16', ipv6: 'fd77:1::/64' })] }
  const twin = (address: string): string => (family === 4 ? address : (twinOf(world.twins, address) ?? ''))
  const parties = of4.parties
    .map((party) => (party.kind === 'instances' ? { ...party, addresses: party.addresses.map(twin) } : party))
    .filter(({ kind }) => kind !== 'external' || family === 4)
  const limit = Number(query.limit ?? 40)
  const side = (filter = '', offset = 0) => {
    const all = parties.filter(({ name, kind }) => (kind === 'outside' ? kind : name).includes(filter))
    return { parties: all.slice(offset, offset + limit), total: all.length, offset }
  }
  const [from, to] = [side(query.from, Number(query.fromOffset ?? 0)), side(query.to, Number(query.toOffset ?? 0))]
  const view = ({ name, kind, addresses }: MatrixParty): MatrixPartyView => ({
    name,
    kind,
    profiles: [],
    addresses: addresses.length,
  })
  const cells = policyMatrix(from.parties, to.parties, world, [], family).map((row) =>
    row.map((cell) => ({ ...cell, allows: [...cell.allows] })),
  )
  return {
    from: { ...from, parties: from.parties.map(view) },
    to: { ...to, parties: to.parties.map(view) },
    cells,
    hasIpv6: true,
  }
}

function explain(
  store: MockStore,
  { from = '', to = '', protocol = 'tcp', port = '3306' }: Readonly<Record<string, string>>,
) {
  const { parties, world } = partiesOf(store)
  const find = (name: string) => parties.find((each) => each.name === name)?.addresses[0] ?? name
  const [source, destination] = [find(from), find(to)]
  const packet = { source, destination, protocol, destinationPort: Number(port), sourcePort: 49_152 }
  const { allowed, outbound, inbound } = decidePacket(packet, world)
  const say = ({ allowed: agrees, reason }: typeof outbound, list: string) => ({
    ...{ allowed: agrees, reason: reason.kind },
    message:
      reason.kind === 'rule'
        ? `${list} rule ${reason.number} of profile ${reason.profile} ${agrees ? 'allows' : 'denies'} it: ${formatRule(reason.rule)}`
        : `no ${list} rule decides: ${reason.kind}`,
  })
  const end = (name: string, address: string) => ({
    name,
    address,
    profiles: [...(world.endpoints.get(address)?.profiles ?? [])],
  })
  return {
    ...{ allowed, from: end(from, source), to: end(to, destination), protocol, port: Number(port) },
    ...{ outbound: say(outbound, 'outbound'), inbound: say(inbound, 'inbound') },
  }
}

function addresses(store: MockStore): AddressView[] {
  const place = { node: 'anchor-1', block: '10.77.1.0/24', pool: 'default' }
  return [
    { ...place, address: '10.77.1.1', kind: 'gateway' },
    ...store.all('listInstances').flatMap(({ id, app, node, address, phase, createdAt }): AddressView[] =>
      node === undefined || address === undefined
        ? []
        : [
            {
              ...{
                address,
                node,
                app,
                instance: id,
                kind: 'instance',
                state: phase,
                since: createdAt,
                pool: 'default',
              },
            },
          ],
    ),
    {
      ...place,
      address: '10.77.1.240',
      address6: 'fd77:1::a4d:1f0',
      kind: 'by-hand',
      container: 'mine',
      profiles: ['web'],
      state: 'running',
      since: Date.now() - 60_000,
    },
  ]
}

function drops() {
  const web: NetEnd = {
    ...{ kind: 'instance', name: 'shop.production.web-1', address: '10.77.1.14', node: 'anchor-1' },
    entrypoint: 'shop/production/web',
  }
  const api: NetEnd = {
    ...web,
    name: 'ledger.production.api-1',
    address: '10.77.1.15',
    entrypoint: 'ledger/production/api',
  }
  const stranger: NetEnd = { kind: 'outside', name: '198.51.100.23', address: '198.51.100.23' }
  const base = { protocol: 'tcp', node: 'anchor-1', end: 'in' as const }
  return [
    { ...base, from: web, to: api, port: 3306, packets: 41, bytes: 2_460, at: Date.now() - 4_000, message: noRule },
    { ...base, from: stranger, to: api, port: 22, packets: 3, bytes: 180, at: Date.now() - 95_000, message: noRule },
  ]
}

function routesOf(store: MockStore, node: string): NodeRoutesView {
  const others = store.all('listNodes').filter(({ name }) => name !== node)
  const since = Date.now() - 3_900_000
  const isUp = (name: string): boolean => name !== 'anchor-3'
  return {
    ...{ node, mode: 'bgp', running: true },
    sessions: [
      ...others.map(({ name, address }) => ({
        ...{ with: 'node' as const, name, address, as: 64_512, up: isUp(name), since, learned: isUp(name) ? 1 : 0 },
        ...(isUp(name) ? {} : { why: 'Connection refused' }),
      })),
      { with: 'peer', name: 'core', address: '192.0.2.254', as: 65_000, up: true, since, learned: 0 },
    ],
    routes: others.map(({ name, block, address }) => ({
      ...{ block, owner: name, kind: 'bgp' as const, from: name, reachable: isUp(name), via: address, device: 'eth0' },
    })),
  }
}

const poolOf = (name: string, range: string, more: Partial<AddressPoolView> = {}): AddressPoolView => ({
  ...{ name, range, blockSize: 24, blocksPerNode: 4, returnAfterMs: 600_000, sites: [], groups: [] },
  ...{ natOutgoing: true, disabled: false, blocks: { total: 256, used: 7 }, addresses: { used: 41 }, nodes: [] },
  ...more,
})
const pools = [
  poolOf('default', '10.77.0.0/16', { ipv6: 'fd77:1::/64' }),
  poolOf('fra', '10.80.0.0/16', { sites: ['fra'], natOutgoing: false, disabled: true, addresses: { used: 0 } }),
]
