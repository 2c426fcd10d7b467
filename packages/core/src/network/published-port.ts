import { routedLinkPrefix } from './routed-address.ts'

export type PortProtocol = 'tcp' | 'udp'

/** A port of a node that leads to a port of a container: the kernel gives packets the container's address, and no program is in between. */
export interface PublishedPort {
  readonly protocol: PortProtocol
  /** Only where the node is called by this address; absent: by any of its own, loopback included. */
  readonly hostAddress?: string
  readonly hostPort: number
  /** The container's. */
  readonly address: string
  /** Its twin of IPv6. Absent: it has none. */
  readonly address6?: string
  readonly port: number
}

/** The node's side of a published port, in words: `8080/tcp`, `127.0.0.1:53/udp`, `[2001:db8::1]:80/tcp`. */
export const describeHostPort = ({
  hostAddress,
  hostPort,
  protocol,
}: Omit<PublishedPort, 'address' | 'port'>): string => `${atOf(hostAddress)}${hostPort}/${protocol}`

function atOf(hostAddress: string | undefined): string {
  if (hostAddress === undefined) return ''
  return isOf6(hostAddress) ? `[${hostAddress}]:` : `${hostAddress}:`
}

const isOf6 = (address: string): boolean => address.includes(':')

/** Whether one packet could be meant for both. */
export const portsClash = (a: PublishedPort, b: PublishedPort): boolean =>
  a.protocol === b.protocol &&
  a.hostPort === b.hostPort &&
  (a.hostAddress === undefined || b.hostAddress === undefined || a.hostAddress === b.hostAddress)

export const isReachedByLoopback = ({ hostAddress }: Pick<PublishedPort, 'hostAddress'>): boolean =>
  hostAddress === undefined || hostAddress.startsWith('127.')

/** Of published ports, and of nothing else. */
export const publishedPortsTable = 'inet berth-ports'

/** Names are asked at an address of this network, and containers' gateway is one: neither is a way to published ports. */
const linkLocal = '169.254.77.0/24'

/** The kernel sends nothing from `::1` by another link, whatever it is told: loopback of IPv6 is none of the ways. */
const to6 = 'ip6 daddr != { ::1, fe80::/10 } fib daddr type local jump published6'

/** The hosts' ends of all containers' links, of routed nodes and of those with a bridge. */
const containerLinks = [`"${routedLinkPrefix}*"`, '"berth0"']

/**
 * The whole table, as one transaction; with no ports, its removal. `source` is what a container sees as the sender of packets that the
 * node sent by way of loopback, or that the container sent to itself: neither could be answered otherwise. Loopback's own addresses, which
 * the kernel lets through to links of published ports, are dropped where a container bears or asks for them.
 */
export function renderPublishedPorts(ports: readonly PublishedPort[], source: string, source6?: string): string {
  const fresh = `add table ${publishedPortsTable}\ndelete table ${publishedPortsTable}\n`
  if (ports.length === 0) return fresh
  const addresses = [...new Set(ports.map((each) => each.address))].sort()
  const addresses6 = source6 === undefined ? [] : [...new Set(ports.flatMap(({ address6 }) => address6 ?? []))].sort()
  const six = (text: string): string => (addresses6.length === 0 ? '' : text)
  const lines = (texts: readonly string[]): string => texts.map((text) => `    ${text}\n`).join('')
  return `${fresh}table ${publishedPortsTable} {
  chain no-loopback {
    type filter hook prerouting priority raw; policy accept;
${lines(containerLinks.flatMap((link) => ['saddr', 'daddr'].map((end) => `iifname ${link} ip ${end} 127.0.0.0/8 drop`)))}  }
  chain inbound {
    type nat hook prerouting priority dstnat - 1; policy accept;
    ip daddr != ${linkLocal} fib daddr type local jump published
${six(`    ${to6}\n`)}  }
  chain from-node {
    type nat hook output priority -101; policy accept;
    ip daddr != ${linkLocal} fib daddr type local jump published
${six(`    ${to6}\n`)}  }
  chain published {
${lines(ports.flatMap(ruleOf).sort())}  }
${six(`  chain published6 {\n${lines(ports.flatMap(ruleOf6).sort())}  }\n`)}  chain back {
    type nat hook postrouting priority srcnat - 1; policy accept;
${lines(addresses.flatMap((address) => ['127.0.0.0/8', address].map((from) => `ip saddr ${from} ip daddr ${address} ct status dnat snat ip to ${source}`)))}${lines(addresses6.map((address) => `ip6 saddr ${address} ip6 daddr ${address} ct status dnat snat ip6 to ${source6}`))}  }
}
`
}

function ruleOf({ protocol, hostAddress, hostPort, address, port }: PublishedPort): string[] {
  if (hostAddress !== undefined && isOf6(hostAddress)) return []
  const at = hostAddress === undefined ? '' : `ip daddr ${hostAddress} `
  return [`${at}${protocol} dport ${hostPort} dnat ip to ${address}:${port}`]
}

/** Where it is published at one address of IPv4 it is not at any of IPv6. */
function ruleOf6({ protocol, hostAddress, hostPort, address6, port }: PublishedPort): string[] {
  if (address6 === undefined || (hostAddress !== undefined && !isOf6(hostAddress))) return []
  const at = hostAddress === undefined ? '' : `ip6 daddr ${hostAddress} `
  return [`${at}${protocol} dport ${hostPort} dnat ip6 to [${address6}]:${port}`]
}
