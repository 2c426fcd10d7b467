import { anycastLink } from '../failover/keepalived-config.ts'
import { formatAddress, formatBlock, parseAddress, parseBlock } from './address-block.ts'
import { formatAddress6, parseAddress6 } from './address6.ts'
import { anycastProtocol, type BirdConfig6, channel6, filters6, hostPart6, kernelPart6, noIpv6 } from './bgp-config6.ts'
import type { BgpSession, NodeRouting } from './bgp-plan.ts'
import { isBgpPassword } from './bgp-settings.ts'

export interface BirdConfigInput {
  readonly routing: Extract<NodeRouting, { readonly mode: 'bgp' }>
  /** Ranges of the cluster's address pools, `10.77.0.0/16`. */
  readonly pools: readonly string[]
  /** What this node tells of itself: its block, and single addresses of others' blocks. */
  readonly blocks: readonly string[]
  /** Single addresses of its own block that other nodes have. */
  readonly away: readonly string[]
  /** What its own packets bear, so that every node can answer them. */
  readonly source: string
  /** Addresses that its gateway may have beside others', on a link of their own; told to routers while they are there. */
  readonly anycast?: readonly string[]
  /** Absent: the node's pool has no IPv6. */
  readonly ipv6?: BirdConfig6 | undefined
  readonly logPath: string
}

/** The kernel's table that BIRD writes, and only that one. */
export const bgpTable = 77

/** How long peers keep what they were told by one that is away without having said goodbye; see `docs/design/routes.md`. */
const keepSeconds = 600
const holdSeconds = 30
/** Of sessions with routers that send to one of several gateways: who is gone without a word is soon sent nothing any more. */
const anycastHoldSeconds = 9
const recoverySeconds = 30
const scanSeconds = 10
const logBytes = 1_048_576

/** What the session is called in BIRD. */
export const sessionName = (session: Pick<BgpSession, 'with' | 'name'>): string => `${session.with}.${session.name}`

/**
 * BIRD's configuration, as `docs/design/routes.md` has it. Names were checked where they were set; addresses and numbers are printed from
 * their parsed form, so nothing of this text is somebody's.
 */
export function renderBirdConfig(input: BirdConfigInput): string {
  const { routing, logPath, ipv6, anycast = [] } = input
  return [
    '# Made by Berth; what is written here by others is lost.',
    `log "${logPath}" ${logBytes} "${logPath}.old" { warning, error, fatal, bug, remote };`,
    `router id ${formatAddress(parseAddress(routing.address))};`,
    `graceful restart wait ${recoverySeconds};`,
    // Seconds since the epoch, for a program to read.
    'timeformat protocol "%s";',
    'ipv4 table hostnets;',
    ...hostPart(withinPools(input)),
    'ipv6 table hostnets6;',
    ...(ipv6 === undefined ? [] : hostPart6(ipv6, scanSeconds)),
    ...filters(input),
    ...(ipv6 === undefined ? noIpv6 : filters6(ipv6, { ...routing, hasAnycast: anycast.length > 0 })),
    ...(anycast.length === 0 ? [] : anycastPart(anycast)),
    ...kernelPart(input),
    ...(ipv6 === undefined ? [] : kernelPart6(ipv6, bgpTable, scanSeconds)),
    ...routing.sessions
      .toSorted(byName)
      .flatMap((session) => sessionPart(session, routing, { hasIpv6: ipv6 !== undefined, anycast })),
    '',
  ].join('\n')
}

const byName = (a: BgpSession, b: BgpSession): number => (sessionName(a) < sessionName(b) ? -1 : 1)

/** The host's own networks and routes: by them next hops are found. They are told to nobody. */
const hostPart = (pools: string): string[] => [
  'protocol device { scan time 10; }',
  `protocol direct hostlinks { ipv4 { table hostnets; import where net !~ [ ${pools} ]; }; }`,
  `protocol kernel hostroutes { learn; scan time ${scanSeconds}; ipv4 { table hostnets; import where net !~ [ ${pools} ]; export none; }; }`,
]

/** What is on the link now: keepalived puts it there and takes it away, whether an agent runs or not. */
function anycastPart(anycast: readonly string[]): string[] {
  const [ipv4, ipv6] = [anycast.filter((each) => !each.includes(':')), anycast.filter((each) => each.includes(':'))]
  const four = ipv4.map((each) => `${formatAddress(parseAddress(each))}/32`).sort()
  const six = ipv6.map((each) => `${formatAddress6(parseAddress6(each))}/128`).sort()
  const of = (list: readonly string[]): string => (list.length === 0 ? 'none' : `where net ~ [ ${list.join(', ')} ]`)
  return [
    `protocol direct ${anycastProtocol} { interface "${anycastLink}"; ipv4 { import ${of(four)}; }; ipv6 { import ${of(six)}; }; }`,
  ]
}

/** What is in one of them. */
const within = (blocks: readonly string[]): string =>
  blocks.map((block) => `${formatBlock(parseBlock(block))}+`).join(', ')

const exactly = (blocks: readonly string[]): string => blocks.map((block) => formatBlock(parseBlock(block))).join(', ')

const withinPools = ({ pools }: BirdConfigInput): string => within(pools)

function filters(input: BirdConfigInput): string[] {
  const { blocks, away, routing } = input
  const ours = `net ~ [ ${withinPools(input)} ]`
  const passOn = (how: string): string => (routing.reflects ? `if source = RTS_BGP && ${ours} then ${how} ` : '')
  // Of its own block a node believes others only what it knows to be theirs.
  const elsewhere = away.length === 0 ? '' : `if net ~ [ ${exactly(away)} ] then return true; `
  return [
    `function of_others() { ${elsewhere}if net ~ [ ${within(blocks)} ] then return false; return ${ours}; }`,
    'filter from_node { if of_others() then accept; reject; }',
    'filter from_peer { if of_others() then { preference = 90; accept; } reject; }',
    `filter to_node { if proto = "own" then accept; ${passOn('accept;')}reject; }`,
    `filter to_peer { if proto = "own" then accept; ${anycastToo(input)}${passOn(`{ bgp_path.prepend(${routing.as}); accept; }`)}reject; }`,
  ]
}

const anycastToo = ({ anycast = [] }: BirdConfigInput): string =>
  anycast.length === 0 ? '' : `if proto = "${anycastProtocol}" then accept; `

function kernelPart({ blocks, source }: BirdConfigInput): string[] {
  const routes = blocks.map((block) => `route ${formatBlock(parseBlock(block))} blackhole;`)
  const address = formatAddress(parseAddress(source))
  return [
    `protocol static own { ipv4; ${routes.join(' ')} }`,
    `filter to_kernel { if source != RTS_BGP then reject; krt_prefsrc = ${address}; accept; }`,
    'protocol kernel berth {',
    `  kernel table ${bgpTable}; scan time ${scanSeconds}; persist; graceful restart;`,
    '  ipv4 { import none; export filter to_kernel; };',
    '}',
  ]
}

interface SessionFacts {
  readonly hasIpv6: boolean
  readonly anycast: readonly string[]
}

function sessionPart(session: BgpSession, self: BirdConfigInput['routing'], facts: SessionFacts): string[] {
  const { hasIpv6, anycast } = facts
  const hold = session.with === 'peer' && anycast.length > 0 ? anycastHoldSeconds : holdSeconds
  const { password } = session
  if (password !== undefined && !isBgpPassword(password))
    throw new TypeError(`the password of ${sessionName(session)} was not checked`)
  return [
    `protocol bgp '${sessionName(session)}' {`,
    `  local ${formatAddress(parseAddress(self.address))} as ${self.as}; neighbor ${formatAddress(parseAddress(session.address))} as ${session.as};`,
    `  multihop; strict bind;${session.as === self.as ? ' rr client;' : ''}`,
    ...(password === undefined ? [] : [`  password "${password}";`]),
    `  hold time ${hold}; connect delay time 1; connect retry time 5; error wait time 1, 10;`,
    `  graceful restart yes; graceful restart time ${keepSeconds};`,
    `  ipv4 { igp table hostnets; next hop keep; import filter from_${session.with}; export filter to_${session.with}; };`,
    // Between nodes always: what sessions carry cannot be changed without beginning them anew.
    ...(hasIpv6 || session.with === 'node' ? [channel6(session.with, self.address)] : []),
    '}',
  ]
}
