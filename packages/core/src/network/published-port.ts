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
  readonly port: number
}

/** The node's side of a published port, in words: `8080/tcp`, `127.0.0.1:53/udp`. */
export const describeHostPort = ({
  hostAddress,
  hostPort,
  protocol,
}: Omit<PublishedPort, 'address' | 'port'>): string =>
  `${hostAddress === undefined ? '' : `${hostAddress}:`}${hostPort}/${protocol}`

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

/** The hosts' ends of all containers' links, of routed nodes and of those with a bridge. */
const containerLinks = [`"${routedLinkPrefix}*"`, '"berth0"']

/**
 * The whole table, as one transaction; with no ports, its removal. `source` is what a container sees as the sender of packets that the
 * node sent by way of loopback, or that the container sent to itself: neither could be answered otherwise. Loopback's own addresses, which
 * the kernel lets through to links of published ports, are dropped where a container bears or asks for them.
 */
export function renderPublishedPorts(ports: readonly PublishedPort[], source: string): string {
  const fresh = `add table ${publishedPortsTable}\ndelete table ${publishedPortsTable}\n`
  if (ports.length === 0) return fresh
  const addresses = [...new Set(ports.map((each) => each.address))].sort()
  const lines = (texts: readonly string[]): string => texts.map((text) => `    ${text}\n`).join('')
  return `${fresh}table ${publishedPortsTable} {
  chain no-loopback {
    type filter hook prerouting priority raw; policy accept;
${lines(containerLinks.flatMap((link) => ['saddr', 'daddr'].map((end) => `iifname ${link} ip ${end} 127.0.0.0/8 drop`)))}  }
  chain inbound {
    type nat hook prerouting priority dstnat - 1; policy accept;
    ip daddr != ${linkLocal} fib daddr type local jump published
  }
  chain from-node {
    type nat hook output priority -101; policy accept;
    ip daddr != ${linkLocal} fib daddr type local jump published
  }
  chain published {
${lines([...ports].map(ruleOf).sort())}  }
  chain back {
    type nat hook postrouting priority srcnat - 1; policy accept;
${lines(addresses.flatMap((address) => ['127.0.0.0/8', address].map((from) => `ip saddr ${from} ip daddr ${address} ct status dnat snat ip to ${source}`)))}  }
}
`
}

function ruleOf({ protocol, hostAddress, hostPort, address, port }: PublishedPort): string {
  const at = hostAddress === undefined ? '' : `ip daddr ${hostAddress} `
  return `${at}${protocol} dport ${hostPort} dnat ip to ${address}:${port}`
}
