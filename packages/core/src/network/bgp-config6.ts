import { parseAddress } from './address-block.ts'
import { formatAddress6, formatBlock6, parseAddress6, parseBlock6 } from './address6.ts'

/** What of BIRD's configuration is of IPv6, where the node's pool has a prefix. */
export interface BirdConfig6 {
  /** Ranges of the cluster's address pools, `fd77:1::a4d:0/112`. */
  readonly pools: readonly string[]
  readonly blocks: readonly string[]
  readonly away: readonly string[]
  readonly source: string
  /** An address of IPv6 that the node has on its link to others, by which it is reached through routers. Absent: none. */
  readonly address?: string
  /** Nodes on a link of this one. */
  readonly neighbours: readonly {
    /** Of IPv4, by which the cluster knows the node. */
    readonly address: string
    /** Its link-local one. */
    readonly via: string
    readonly device: string
  }[]
}

/** `berth` in ASCII; an own prefix by RFC 4193, of which nothing is ever sent or received. */
const hopsHigh = 0xfd62_6572_7468n << 80n
const hops = formatBlock6({ base: hopsHigh, prefix: 96 })

/**
 * What a node that has no address of IPv6 is called as a next hop, made of its IPv4 one. BGP knows no link-local next hops between nodes that
 * speak by others' addresses; each node knows by itself what link-local address is meant.
 */
export const hopAddressOf = (address: string): string => formatAddress6(hopsHigh | BigInt(parseAddress(address)))

const within = (blocks: readonly string[]): string =>
  blocks.map((block) => `${formatBlock6(parseBlock6(block))}+`).join(', ')

const blockOf = (block: string): string => formatBlock6(parseBlock6(block))
const addressOf = (address: string): string => formatAddress6(parseAddress6(address))

/** The host's own networks and routes, and the ways to nodes on its links. A node that is called so and is on none of them cannot be reached. */
export function hostPart6({ pools, neighbours }: BirdConfig6, scanSeconds: number): string[] {
  const routes = neighbours.map(
    ({ address, via, device }) =>
      `route ${hopAddressOf(address)}/128 via ${addressOf(via)}%'${checkedDevice(device)}';`,
  )
  const others = `import where net !~ [ ${within(pools)} ];`
  return [
    `protocol direct hostlinks6 { ipv6 { table hostnets6; ${others} }; }`,
    `protocol kernel hostroutes6 { learn; scan time ${scanSeconds}; ipv6 { table hostnets6; ${others} export none; }; }`,
    `protocol static hops6 { ipv6 { table hostnets6; }; route ${hops} unreachable; ${routes.toSorted().join(' ')} }`,
  ]
}

function checkedDevice(device: string): string {
  if (/^[\w.:@-]{1,15}$/.test(device)) return device
  throw new TypeError(`${JSON.stringify(device)} is no name of a link`)
}

export interface FilterInput {
  readonly reflects: boolean
  readonly as: number
  /** The node's IPv4 address. */
  readonly address: string
  /** There is {@link anycastProtocol}, for routers. */
  readonly hasAnycast?: boolean
}

/** What is told of is on a link of its own: addresses that several gateways have. */
export const anycastProtocol = 'anycast'

/** As those of IPv4. Routers are told nothing where the node has no address that they could send to. */
export function filters6(
  input: BirdConfig6,
  { reflects, as, address: own, hasAnycast = false }: FilterInput,
): string[] {
  const { pools, blocks, away, address } = input
  const ours = `net ~ [ ${within(pools)} ]`
  const passOn = (how: string): string => (reflects ? `if source = RTS_BGP && ${ours} then ${how} ` : '')
  const elsewhere = away.length === 0 ? '' : `if net ~ [ ${away.map(blockOf).join(', ')} ] then return true; `
  const from = (proto: string, hop: string): string => `if proto = "${proto}" then { bgp_next_hop = ${hop}; accept; } `
  const mine = (hop: string): string => from('own6', hop)
  const told = `${mine(address === undefined ? hopAddressOf(own) : addressOf(address))}${passOn('accept;')}`
  const toRouters =
    address === undefined
      ? ''
      : `${mine(addressOf(address))}${hasAnycast ? from(anycastProtocol, addressOf(address)) : ''}${passOn(`{ bgp_path.prepend(${as}); accept; }`)}`
  return [
    `function of_others6() { ${elsewhere}if net ~ [ ${within(blocks)} ] then return false; return ${ours}; }`,
    'filter from_node6 { if of_others6() then accept; reject; }',
    'filter from_peer6 { if of_others6() then { preference = 90; accept; } reject; }',
    `filter to_node6 { ${told}reject; }`,
    `filter to_peer6 { ${toRouters}reject; }`,
  ]
}

/** `table`: the kernel's, of IPv6. */
export function kernelPart6({ blocks, source }: BirdConfig6, table: number, scanSeconds: number): string[] {
  const routes = blocks.map((block) => `route ${blockOf(block)} blackhole;`)
  return [
    `protocol static own6 { ipv6; ${routes.join(' ')} }`,
    `filter to_kernel6 { if source != RTS_BGP then reject; krt_prefsrc = ${addressOf(source)}; accept; }`,
    'protocol kernel berth6 {',
    `  kernel table ${table}; scan time ${scanSeconds}; persist; graceful restart;`,
    '  ipv6 { import none; export filter to_kernel6; };',
    '}',
  ]
}

/** Of a session; addresses of IPv6 go over the one of IPv4. Next hops are said by the filters: a change of them resets nothing. */
export const channel6 = (kind: 'node' | 'peer', own: string): string =>
  `  ipv6 { igp table hostnets6; next hop address ${hopAddressOf(own)}; next hop keep; import filter from_${kind}6; export filter to_${kind}6; };`

/** Where the pool has none. */
export const noIpv6: readonly string[] = ['filter from_node6 { reject; }', 'filter to_node6 { reject; }']

/** Whether a session that is in both configurations carries other kinds of addresses, or is held for another time: it would be begun anew. */
export function changesChannels(before: string, after: string): boolean {
  const [old, now] = [beginningsOf(before), beginningsOf(after)]
  return [...old].some(([session, said]) => (now.get(session) ?? said) !== said)
}

/** Of each session of a configuration what is said as it begins: how long it is held, and whether it carries IPv6. */
function beginningsOf(configuration: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  let current = ''
  for (const line of configuration.split('\n')) {
    const name = /^protocol bgp '(.+)' \{$/.exec(line)?.[1]
    if (name !== undefined) {
      current = name
      found.set(name, '')
    } else if (line.startsWith('  ipv6 { igp table')) found.set(current, `${found.get(current)} ipv6`)
    else found.set(current, `${found.get(current) ?? ''}${/^ {2}hold time (\d+);/.exec(line)?.[1] ?? ''}`)
  }
  return found
}
