import type { InstancePort } from '../model/instance.ts'
import { type Parsed, parsed, refused } from '../spec/spec-issue.ts'
import { containsAddress, parseBlock, tryParseAddress } from './address-block.ts'

export const publishingTable = 'berth_publish'

/** A port of the node that leads to an instance's. */
export interface PublishedTarget extends InstancePort {
  readonly address: string
  /** Its twin of IPv6, where its pool has one. */
  readonly address6?: string
}

/** Ports that follow each other, on both ends; `count` absent: one. */
export interface InstancePorts extends Omit<InstancePort, 'hostAddress'> {
  readonly hostAddress?: string | undefined
  readonly count?: number | undefined
}

export const portText = ({ hostPort, protocol }: Pick<InstancePort, 'hostPort' | 'protocol'>): string =>
  `${hostPort}/${protocol}`

export const maxPublishedAtOnce = 32

/** One by one. */
export const eachPort = ({
  count = 1,
  hostAddress,
  hostPort,
  port,
  protocol,
}: InstancePorts): readonly InstancePort[] =>
  Array.from({ length: count }, (_, index) => ({
    ...{ hostPort: hostPort + index, port: port + index, protocol },
    ...(hostAddress === undefined ? {} : { hostAddress }),
  }))

/** `8080/tcp`, `8000-8010/tcp at 127.0.0.1`. */
export function portsText({ hostAddress, hostPort, protocol, count = 1 }: Omit<InstancePorts, 'port'>): string {
  const at = hostAddress === undefined ? '' : ` at ${hostAddress}`
  return `${count === 1 ? hostPort : `${hostPort}-${hostPort + count - 1}`}/${protocol}${at}`
}

const ownText =
  /^(?:(?<hostAddress>[0-9]+\.[0-9.]+):)?(?<hostPort>[0-9]{1,5})(?:-(?<hostLast>[0-9]{1,5}))?(?::(?<port>[0-9]{1,5})(?:-(?<last>[0-9]{1,5}))?)?(?:\/(?<protocol>tcp|udp))?$/

/** `8080:80`, `8080` (for both), `5353:53/udp`, `8000-8010:9000-9010`, `127.0.0.1:8080:80`. */
export function parsePublished(text: string): Parsed<InstancePorts> {
  const found = ownText.exec(text)?.groups
  if (found === undefined)
    return refused(
      `${JSON.stringify(text.slice(0, 80))} is no port to publish`,
      'write NODE-PORT:PORT, such as 8080:80, 8000-8010:8000-8010 or 127.0.0.1:8080:80',
    )
  const { hostAddress } = found
  const [hostPort, port] = [Number(found.hostPort), Number(found.port ?? found.hostPort)]
  const hostLast = Number(found.hostLast ?? hostPort)
  const last = found.port === undefined ? hostLast : Number(found.last ?? port)
  const wrong = [hostPort, hostLast, port, last].find((each) => each < 1 || each > 65_535)
  if (wrong !== undefined) return refused(`port ${wrong} is out of range (1 to 65535)`)
  const count = hostLast - hostPort + 1
  if (count < 1 || last - port + 1 !== count)
    return refused(`${text} is no range of ports to a range`, 'write as many on both ends: 8000-8010:9000-9010')
  if (count > maxPublishedAtOnce) return refused(`${count} ports are too many at once: ${maxPublishedAtOnce} at most`)
  const problem = hostAddress === undefined ? undefined : hostAddressProblem(hostAddress)
  if (problem !== undefined) return refused(problem)
  return parsed({
    ...{ hostPort, port, protocol: found.protocol === 'udp' ? 'udp' : 'tcp' },
    ...(hostAddress === undefined ? {} : { hostAddress }),
    ...(count === 1 ? {} : { count }),
  })
}

/** Why nothing can be published at it; undefined: a node may have it. */
export function hostAddressProblem(address: string): string | undefined {
  if (tryParseAddress(address) === undefined) return `${JSON.stringify(address)} is no IPv4 address`
  const never = neverOwn.some((each) => containsAddress(each, address))
  return never ? `${address} is no address at which a node can be called; leave it out for all of them` : undefined
}

/** Link-local ones are where names are asked. */
const neverOwn = ['0.0.0.0/8', '169.254.0.0/16', '224.0.0.0/3'].map(parseBlock)

export const isLoopback = ({ hostAddress = '' }: Pick<InstancePort, 'hostAddress'>): boolean =>
  hostAddress.startsWith('127.')

/** Neither names (169.254.77.53) nor what a node keeps to itself. */
const elsewhere = 'fib daddr type local ip daddr != { 127.0.0.0/8, 169.254.0.0/16 }'

const elsewhere6 = 'fib daddr type local ip6 daddr != { ::1, fe80::/10 }'

const whereOf = ({ hostAddress }: InstancePort): string =>
  hostAddress === undefined ? elsewhere : `fib daddr type local ip daddr ${hostAddress}`

/**
 * A file for `nft -f`: in one transaction all that is published, or nothing where there is nothing. What comes to an address of the node is sent on to the
 * instance with its sender's address; only a sender with an address of the node's (`own`: blocks, of both versions, or loopback's) is given the node's, or the answer would not
 * pass the node. What is published at no single address is so at those of IPv6 too, where the instance has it. Where something is published at a loopback address, containers (`links`: their ends on the node) bear none and reach none.
 * Equal input gives equal text.
 */
export function renderPublishing(
  targets: readonly PublishedTarget[],
  own: readonly string[],
  links: readonly string[] = [],
): string {
  const remove = `table inet ${publishingTable}\ndelete table inet ${publishingTable}\n`
  if (targets.length === 0) return remove
  const sorted = [...targets].sort((a, b) => a.hostPort - b.hostPort || (a.protocol < b.protocol ? -1 : 1))
  const rulesOf = (those: readonly PublishedTarget[]): string[] =>
    those.flatMap((each) => {
      const { hostPort, protocol, address, port } = each
      const six = address6Of(each).map(
        (to) => `    ${elsewhere6} ${protocol} dport ${hostPort} dnat ip6 to [${to}]:${port}`,
      )
      return [`    ${whereOf(each)} ${protocol} dport ${hostPort} dnat ip to ${address}:${port}`, ...six]
    })
  const local = sorted.filter(isLoopback)
  const loopback = local.length === 0 ? [] : ['127.0.0.0/8']
  const addresses = sorted.map(({ address }) => address)
  const chain = (name: string, hook: string, priority: number, lines: readonly string[]): string[] => [
    `  chain ${name} {`,
    `    type nat hook ${hook} priority ${priority}; policy accept;`,
    ...lines,
    '  }',
  ]
  return `${[
    `${remove}table inet ${publishingTable} {`,
    // Before Docker's own, as both are asked and the first counts.
    ...chain('prerouting', 'prerouting', -105, rulesOf(sorted.filter((each) => !isLoopback(each)))),
    ...chain('output', 'output', -105, rulesOf(sorted)),
    ...chain('postrouting', 'postrouting', 95, [
      ...back('ip', [...own.filter((each) => !isOf6(each)), ...loopback], addresses),
      ...back('ip6', own.filter(isOf6), sorted.flatMap(address6Of)),
    ]),
    ...(local.length === 0 ? [] : guard(links)),
    '}',
  ].join('\n')}\n`
}

const isOf6 = (text: string): boolean => text.includes(':')

/** Where it is published at by IPv6; none: at one address of IPv4, or its pool has no IPv6. */
const address6Of = ({ hostAddress, address6 }: PublishedTarget): readonly string[] =>
  hostAddress !== undefined || address6 === undefined ? [] : [address6]

/** None in which a set would be empty. */
const back = (ip: 'ip' | 'ip6', from: readonly string[], to: readonly string[]): readonly string[] =>
  from.length === 0 || to.length === 0
    ? []
    : [
        `    ct status dnat ${ip} saddr { ${from.join(', ')} } ${ip} daddr { ${[...new Set(to)].join(', ')} } masquerade`,
      ]

/** The kernel lets loopback addresses through to and from these links then. */
const guard = (links: readonly string[]): readonly string[] => [
  '  chain no-loopback {',
  '    type filter hook prerouting priority raw; policy accept;',
  ...links.flatMap((link) => ['saddr', 'daddr'].map((end) => `    iifname "${link}" ip ${end} 127.0.0.0/8 drop`)),
  '  }',
]
