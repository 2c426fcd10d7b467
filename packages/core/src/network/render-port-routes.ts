import { containsAddress, parseBlock } from './address-block.ts'
import { containsAddress6, parseAddress6, parseBlock6 } from './address6.ts'
import { hasPortRouteMark, portRouteMark } from './gateway-mark.ts'
import type { PortProtocol } from './published-port.ts'
import { scheduleRoute } from './route-schedule.ts'
import { type Member, memberKey, type PortRoute } from './route-table.ts'
import { stickyId, stickySlots, stickySlotsOf } from './sticky-slots.ts'

export const portRoutesTable = 'berth_routes'

/** What a gateway's node knows of the network. Blocks are of both versions. */
export interface GatewayPlace {
  /** Blocks of its own instances. */
  readonly own: readonly string[]
  /** Of all instances of the cluster. */
  readonly pools: readonly string[]
  /** Its address in its own block, and its twin of IPv6: what instances of other nodes see as the sender. */
  readonly gateway?: string
  readonly gateway6?: string
}

/** What one of the kernel's counters counts. */
export interface PortCounter {
  readonly name: string
  readonly route: string
  /** `connections`: those given to the instance; `in` and `out`: packets and bytes of clients, and to them. */
  readonly counts: 'connections' | 'in' | 'out'
  /** Of a member; absent: of the whole route. */
  readonly pool?: string
  readonly instance?: string
}

export interface RenderedPortRoutes {
  /** A file for `nft -f`: in one transaction all routes, or nothing where there is none. Nothing of a table before it is left. */
  readonly ruleset: string
  readonly counters: readonly PortCounter[]
  /** The table alone, and what it has by name. */
  readonly table: string
  readonly objects: readonly TableObject[]
}

/** What a table of nftables has by name, as `nft` calls its kinds. */
export interface TableObject {
  readonly kind: 'chain' | 'counter' | 'map'
  readonly name: string
}

type Family = 4 | 6

interface FamilyMember {
  readonly chain: string
  readonly member: Member
  readonly pool: string
  /** Where the kernel sends it: `10.77.1.2:5432`, `[fd77::2]:5432`. */
  readonly to: string
  readonly address: string
}

interface FamilyRoute {
  readonly route: PortRoute
  readonly family: Family
  /** Of the schedule's turns the members'. Empty: whoever comes is refused. */
  readonly turns: readonly FamilyMember[]
  readonly members: readonly FamilyMember[]
}

/**
 * The whole table. A connection is given to a member in turn, by the routes' weights, and stays there for as long as the kernel tracks it, whatever table
 * comes later: so a draining member keeps what it has and gets nothing new. `rotation` is where the turns begin: with each table they begin anew. A route
 * that is sticky goes by who asks instead, see {@link stickyLines}. A member of the gateway's own node sees who asks; one of another node sees the
 * gateway, which its answers have to pass. What no member may take is refused by the node itself. Equal input gives equal text.
 */
export function renderPortRoutes(routes: readonly PortRoute[], place: GatewayPlace, rotation = 0): RenderedPortRoutes {
  const remove = `${openTable}delete table inet ${portRoutesTable}\n`
  if (routes.length === 0) return { ruleset: remove, counters: [], table: '', objects: [] }
  const all = ([4, 6] as const).flatMap((family) => routes.map((route) => familyRoute(route, family, rotation)))
  const counters = [...countersOf(routes), ...memberCounters(all)]
  const maps = all.filter(({ route, turns }) => route.stickyMs !== undefined && turns.length > 0)
  const table = `${[
    `table inet ${portRoutesTable} {`,
    ...counters.map(({ name }) => `  counter ${name} {\n  }`),
    ...maps.flatMap(stickyMap),
    // Before published ports and Docker's own, as all are asked and the first counts.
    ...chain('prerouting', 'nat hook prerouting priority -106', toRoutes(all)),
    ...chain('output', 'nat hook output priority -106', toRoutes(all)),
    ...memberChains(all),
    ...all.flatMap(routeChain),
    ...chain('postrouting', 'nat hook postrouting priority 94', [`${hasPortRouteMark} ct status dnat jump back`]),
    ...plainChain('back', [...backOf(all, place, 4), ...backOf(all, place, 6)]),
    ...chain('forward', 'filter hook forward priority 10', [`${hasPortRouteMark} jump traffic`]),
    ...chain('input', 'filter hook input priority -10', [`${hasPortRouteMark} jump traffic`, ...refusals(routes)]),
    ...chain('sent', 'filter hook output priority 10', [`${hasPortRouteMark} jump traffic`]),
    ...plainChain('traffic', traffic(routes, all)),
    '}',
  ].join('\n')}\n`
  const objects: TableObject[] = [
    ...[...table.matchAll(/^ {2}chain (\S+) {$/gm)].map(([, name = '']) => ({ kind: 'chain' as const, name })),
    ...counters.map(({ name }) => ({ kind: 'counter' as const, name })),
    ...maps.map((each) => ({ kind: 'map' as const, name: `kept-${chainOf(each)}` })),
  ]
  return { ruleset: remove + table, counters, table, objects }
}

const openTable = `table inet ${portRoutesTable}\n`

/**
 * Makes the table of one that has `there`, in one transaction: what both have keeps what it has counted and remembers. nft refuses it where something
 * of the same name is of another sort.
 */
export function updatePortRoutes({ table, objects }: RenderedPortRoutes, there: readonly TableObject[]): string {
  const wanted = new Set(objects.map(({ kind, name }) => `${kind} ${name}`))
  // Chains go before what they name.
  const gone = (['chain', 'map', 'counter'] as const).flatMap((kind) =>
    there.filter((each) => each.kind === kind && !wanted.has(`${kind} ${each.name}`)),
  )
  const deletions = gone.map(({ kind, name }) => `delete ${kind} inet ${portRoutesTable} ${name}\n`)
  return `${openTable}flush table inet ${portRoutesTable}\n${table}${deletions.join('')}`
}

const plainChain = (name: string, lines: readonly string[]): string[] => [
  `  chain ${name} {`,
  ...lines.map((line) => `    ${line}`),
  '  }',
]

const chain = (name: string, hook: string, lines: readonly string[]): string[] =>
  plainChain(name, [`type ${hook}; policy accept;`, ...lines])

/** Loopback and link-local addresses are a node's own affair: names are asked at one. */
const elsewhere: Readonly<Record<Family, string>> = {
  4: 'fib daddr type local ip daddr != { 127.0.0.0/8, 169.254.0.0/16 }',
  6: 'fib daddr type local ip6 daddr != { ::1, fe80::/10 }',
}
const ipOf = (family: Family): string => (family === 4 ? 'ip' : 'ip6')
const keyOf = ({ protocol, port }: PortRoute): string => `${protocol}${port}`
const chainOf = ({ route, family }: FamilyRoute): string => `${keyOf(route)}-v${family}`

function familyRoute(route: PortRoute, family: Family, rotation: number): FamilyRoute {
  const targets = route.targets.map((target) => ({
    ...target,
    members: target.members.filter((each) => addressOf(each, family) !== undefined),
  }))
  const known = targets.flatMap((target) =>
    target.members.map((member) => familyMember(route, member, target.pool, family)),
  )
  const turns = scheduleRoute({ ...route, targets }).map((place) => known[place]!)
  const first = turns.length === 0 ? 0 : rotation % turns.length
  return { route, family, members: known, turns: [...turns.slice(first), ...turns.slice(0, first)] }
}

const addressOf = ({ address, address6 }: Member, family: Family): string | undefined =>
  address.includes(':') === (family === 6) ? address : family === 6 ? address6 : undefined

function familyMember(route: PortRoute, member: Member, pool: string, family: Family): FamilyMember {
  const address = addressOf(member, family) ?? ''
  const to = memberKey({ address, port: member.port })
  return { chain: `${keyOf(route)}-${to.replace(/[^0-9a-f]/g, '_')}`, member, pool, to, address }
}

function toRoutes(all: readonly FamilyRoute[]): string[] {
  return ([4, 6] as const).flatMap((family) =>
    (['tcp', 'udp'] as const).flatMap((protocol) => {
      const some = all.filter(
        (each) => each.family === family && each.route.protocol === protocol && each.turns.length > 0,
      )
      const to = some.map((each) => `${each.route.port} : goto ${chainOf(each)}`)
      return some.length === 0 ? [] : [`${elsewhere[family]} ${protocol} dport vmap { ${to.join(', ')} }`]
    }),
  )
}

/** Connections of addresses that are not allowed are given to nobody, and refused as if nothing were there. */
function routeChain(each: FamilyRoute): string[] {
  const { route, family, turns } = each
  if (turns.length === 0) return []
  const allowed = route.allow?.filter((block) => block.includes(':') === (family === 6))
  const chosen = route.stickyMs === undefined ? inTurn(turns) : stickyLines(each)
  return plainChain(chainOf(each), [
    ...(allowed === undefined
      ? []
      : allowed.length === 0
        ? ['return']
        : [`${ipOf(family)} saddr != { ${allowed.join(', ')} } return`]),
    `ct mark set ct mark | ${portRouteMark}`,
    ...chosen,
  ])
}

function inTurn(turns: readonly FamilyMember[]): string[] {
  if (turns.length === 1) return [`goto ${turns[0]!.chain}`]
  return [`numgen inc mod ${turns.length} vmap { ${vmap(turns.map(({ chain }, turn) => [turn, chain]))} }`]
}

const vmap = (entries: readonly (readonly [key: string | number, chain: string])[]): string =>
  entries.map(([key, chain]) => `${key} : goto ${chain}`).join(', ')

/** So many clients of a route are remembered; others go by the hash of their address alone. */
const mostKept = 65_536

const stickyMap = (each: FamilyRoute): string[] => [
  `  map kept-${chainOf(each)} {`,
  `    type ${each.family === 4 ? 'ipv4_addr' : 'ipv6_addr'} : classid`,
  `    size ${mostKept}`,
  '    flags dynamic,timeout',
  '  }',
]

/**
 * Who is remembered goes where it was, as long as that member has turns; everybody else goes by a hash of its address, which leads most to the same
 * member whatever comes and goes, and the same way on every gateway. The member that was remembered is held in the packet's priority: nothing reads
 * that before the kernel sets it anew for what is passed on.
 */
function stickyLines(each: FamilyRoute): string[] {
  const { family, turns } = each
  const members = turnCounts(turns)
  const from = `${ipOf(family)} saddr`
  const slots = stickySlotsOf(members.map(([{ to }, weight]) => ({ to, weight })))
  const kept = keptMembers(turns)
  return [
    `meta priority set ${from} map @kept-${chainOf(each)}`,
    `meta priority vmap { ${vmap([...kept].map(([id, { chain }]) => [id, chain]))} }`,
    // It was with a member that has left: it is remembered anew.
    `delete @kept-${chainOf(each)} { ${from} : 0:0 }`,
    members.length === 1
      ? `goto ${members[0]![0].chain}`
      : `jhash ${from} mod ${stickySlots} seed 0x1 vmap { ${vmap(slots.map((place, slot) => [slot, members[place]![0].chain]))} }`,
  ]
}

/** Each once, with how many turns it has. */
function turnCounts(turns: readonly FamilyMember[]): [FamilyMember, number][] {
  const counts = new Map<string, [FamilyMember, number]>()
  for (const each of turns) counts.set(each.chain, [each, (counts.get(each.chain)?.[1] ?? 0) + 1])
  return [...counts.values()]
}

/** By the number that the kernel remembers. Of two members with one number (one in two thousand million) the second is not remembered. */
function keptMembers(turns: readonly FamilyMember[]): Map<string, FamilyMember> {
  const kept = new Map<string, FamilyMember>()
  for (const [each] of turnCounts(turns)) {
    const id = stickyId(each.to)
    if (!kept.has(id)) kept.set(id, each)
  }
  return kept
}

function memberChains(all: readonly FamilyRoute[]): string[] {
  return all.flatMap((each) => {
    const { route, turns, family } = each
    const kept = new Set(route.stickyMs === undefined ? [] : keptMembers(turns).values())
    return turnCounts(turns).flatMap(([member]) => {
      const { chain, to } = member
      const remember = `update @kept-${chainOf(each)} { ${ipOf(family)} saddr timeout ${route.stickyMs}ms : ${stickyId(to)} }`
      return plainChain(chain, [
        ...(kept.has(member) ? [remember] : []),
        ...(route.stickyMs === undefined ? [] : ['meta priority set 0:0']),
        `counter name new-${chain}`,
        `meta l4proto ${route.protocol} dnat ${ipOf(family)} to ${to}`,
      ])
    })
  })
}

/** Of all members: those that drain have connections to count. */
const memberCounters = (all: readonly FamilyRoute[]): PortCounter[] => {
  const found = new Map<string, PortCounter>()
  for (const { route, members } of all)
    for (const { chain, member, pool } of members)
      for (const [word, counts] of memberWords)
        found.set(`${word}-${chain}`, {
          ...{ name: `${word}-${chain}`, route: route.id, counts, pool, instance: member.instance },
        })
  return [...found.values()]
}

const memberWords = [
  ['new', 'connections'],
  ['in', 'in'],
  ['out', 'out'],
] as const

const countersOf = (routes: readonly PortRoute[]): PortCounter[] =>
  routes.flatMap((route) =>
    (['in', 'out'] as const).map((counts) => ({ name: `${counts}-${keyOf(route)}`, route: route.id, counts })),
  )

/**
 * Whose answers would not pass this node: members elsewhere, and those of this node where who asks is of the node too. What is sent to an address of
 * the cluster bears one of the cluster, which other nodes let in.
 */
function backOf(
  all: readonly FamilyRoute[],
  { own, pools, gateway, gateway6 }: GatewayPlace,
  family: Family,
): string[] {
  const addresses = [
    ...new Set(
      all.filter((each) => each.family === family).flatMap(({ members }) => members.map(({ address }) => address)),
    ),
  ].sort()
  const isIn = (blocks: readonly string[], address: string): boolean =>
    blocks.some((block) => contains(block, address, family))
  const ofFamily = (blocks: readonly string[]): string[] =>
    blocks.filter((block) => block.includes(':') === (family === 6))
  const here = addresses.filter((each) => isIn(own, each))
  const there = addresses.filter((each) => !isIn(own, each) && isIn(pools, each))
  const beyond = addresses.filter((each) => !isIn(own, each) && !isIn(pools, each))
  const [ip, source] = [ipOf(family), family === 4 ? gateway : gateway6]
  const rule = (list: readonly string[], from: readonly string[] | undefined, verdict: string): string[] =>
    list.length === 0 || from?.length === 0
      ? []
      : [
          `${from === undefined ? '' : `${ip} saddr { ${from.join(', ')} } `}${ip} daddr { ${list.join(', ')} } ${verdict}`,
        ]
  return [
    ...rule(here, ofFamily(own), 'masquerade'),
    ...rule(there, undefined, source === undefined ? 'masquerade' : `snat ${ip} to ${source}`),
    ...rule(beyond, undefined, 'masquerade'),
  ]
}

function contains(block: string, address: string, family: Family): boolean {
  if (block.includes(':') !== (family === 6)) return false
  return family === 4
    ? containsAddress(parseBlock(block), address)
    : containsAddress6(parseBlock6(block), parseAddress6(address))
}

const portsOf = (routes: readonly PortRoute[], protocol: PortProtocol): number[] =>
  routes.filter((each) => each.protocol === protocol).map(({ port }) => port)

/** What nobody takes, so that nobody waits for an answer. */
function refusals(routes: readonly PortRoute[]): string[] {
  return (['tcp', 'udp'] as const).flatMap((protocol) => {
    const ports = portsOf(routes, protocol)
    const verdict = protocol === 'tcp' ? 'reject with tcp reset' : 'reject'
    return ports.length === 0
      ? []
      : ([4, 6] as const).map(
          (family) =>
            `${elsewhere[family]} ct status & dnat == 0 ct state new ${protocol} dport { ${ports.join(', ')} } ${verdict}`,
        )
  })
}

/** By which way of which route a packet goes, and to or from which member: that one's address is in the answers. */
function traffic(routes: readonly PortRoute[], all: readonly FamilyRoute[]): string[] {
  return (['in', 'out'] as const).flatMap((way) =>
    (['tcp', 'udp'] as const).flatMap((protocol) => {
      const ports = portsOf(routes, protocol).map((port) => `${port} : "${way}-${protocol}${port}"`)
      if (ports.length === 0) return []
      const of = `ct direction ${way === 'in' ? 'original' : 'reply'} meta l4proto ${protocol}`
      return [
        `${of} counter name ct original proto-dst map { ${ports.join(', ')} }`,
        ...([4, 6] as const).flatMap((family) => {
          const entries = memberEntries(all, protocol, family, way)
          const key = `ct original proto-dst . ct reply ${ipOf(family)} saddr . ct reply proto-src`
          return entries.length === 0 ? [] : [`${of} counter name ${key} map { ${entries.join(', ')} }`]
        }),
      ]
    }),
  )
}

function memberEntries(
  all: readonly FamilyRoute[],
  protocol: PortProtocol,
  family: Family,
  way: 'in' | 'out',
): string[] {
  const found = new Map<string, string>()
  for (const { members, route, ...each } of all)
    if (route.protocol === protocol && each.family === family)
      for (const { address, member, chain } of members)
        found.set(chain, `${route.port} . ${address} . ${member.port} : "${way}-${chain}"`)
  return [...found.values()]
}
