import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { familyOf, type Packet } from '@berth/core'
import { waitUntil } from '../testing/wait-until.ts'
import { TestNamespace } from './test-namespace.testing.ts'

const seenOf = (ip: 'ip' | 'ip6', type: string, ping: string): string => `add table ${ip} seen
add set ${ip} seen ports { type ${type} . ${type} . inet_proto . inet_service . inet_service; flags dynamic; }
add set ${ip} seen pings { type ${type} . ${type}; flags dynamic; }
add chain ${ip} seen arrival { type filter hook prerouting priority -350; policy accept; }
add rule ${ip} seen arrival meta l4proto { tcp, udp } update @ports { ${ip} saddr . ${ip} daddr . meta l4proto . th sport . th dport } drop
add rule ${ip} seen arrival ${ping} update @pings { ${ip} saddr . ${ip} daddr } drop
`
const seen = `${seenOf('ip', 'ipv4_addr', 'icmp type 8')}${seenOf('ip6', 'ipv6_addr', 'icmpv6 type 128')}`

const routerMac = '02:00:00:00:08:01'
const receiversMac = '02:00:00:00:09:02'

/** As arrivals are listed. */
export const packetKey = ({ source, destination, protocol, sourcePort, destinationPort }: Packet): string =>
  protocol.startsWith('icmp')
    ? `${source} ${destination}`
    : `${source} ${destination} ${protocol} ${sourcePort} ${destinationPort}`

/**
 * A node between who sends and who is sent to: packets from any address to any address cross `router` by its forward hook, and what comes through
 * is written down and gets no answer.
 */
export class PacketRange implements AsyncDisposable {
  readonly router: TestNamespace
  readonly #senders: TestNamespace
  readonly #receivers: TestNamespace
  readonly #sender: ChildProcess
  readonly #answers: AsyncIterator<string>
  #batch = 0

  private constructor(router: TestNamespace, senders: TestNamespace, receivers: TestNamespace) {
    this.router = router
    this.#senders = senders
    this.#receivers = receivers
    const script = join(import.meta.dirname, 'packet-sender.testing.ts')
    const [file, args] = senders.inside(process.execPath, script)
    this.#sender = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    const input = this.#sender.stdout
    if (input === null) throw new Error('no output to read')
    this.#answers = createInterface({ input })[Symbol.asyncIterator]()
  }

  static async create(sources: readonly string[]): Promise<PacketRange> {
    const [router, senders, receivers] = await Promise.all([1, 2, 3].map(() => TestNamespace.create()))
    if (router === undefined || senders === undefined || receivers === undefined) throw new Error('no namespaces')
    senders.connect('way', router, 'senders')
    receivers.connect('way', router, 'receivers')
    router.sysctl('net.ipv4.ip_forward=1', 'net.ipv4.conf.all.rp_filter=0', 'net.ipv4.conf.senders.rp_filter=0')
    router.ip(
      'address add 169.254.8.1/30 dev senders',
      'address add 169.254.9.1/30 dev receivers',
      'route add default via 169.254.9.2 dev receivers',
      `link set senders address ${routerMac}`,
    )
    router.sysctl('net.ipv6.conf.all.forwarding=1')
    router.ip6(
      'address add fd08::1/64 dev senders nodad',
      'address add fd09::1/64 dev receivers nodad',
      'route add default via fd09::2 dev receivers',
      // On a busy machine finding it takes longer than what waits for it is kept.
      `neigh replace fd09::2 lladdr ${receiversMac} dev receivers nud permanent`,
    )
    receivers.ip(`link set way address ${receiversMac}`, 'address add 169.254.9.2/30 dev way')
    receivers.ip6('address add fd09::2/64 dev way nodad')
    receivers.nft(seen)
    const isOf6 = (address: string): boolean => familyOf(address) === 6
    // What is sent to an address of one's own goes out as well.
    const ownLast = ['rule add pref 50 lookup main', 'rule add pref 100 lookup local', 'rule del pref 0']
    senders.ip(
      'address add 169.254.8.2/30 dev way',
      ...sources.filter((each) => !isOf6(each)).map((address) => `address add ${address}/32 dev lo`),
      'route add default via 169.254.8.1 dev way',
      ...ownLast,
    )
    // Nothing comes back then, and no word of who the router is either.
    senders.ip6(
      'address add fd08::2/64 dev way nodad',
      ...sources.filter(isOf6).map((address) => `address add ${address}/128 dev lo nodad noprefixroute`),
      `neigh replace fd08::1 lladdr ${routerMac} dev way nud permanent`,
      'route add default via fd08::1 dev way',
      ...ownLast,
    )
    return new PacketRange(router, senders, receivers)
  }

  /** Sends them in order, and waits until the last of what was sent, which nobody keeps back, is there. */
  async send(packets: readonly Packet[], expected: ReadonlySet<string>): Promise<Set<string>> {
    for (const ip of ['ip', 'ip6']) this.#receivers.nft(`flush set ${ip} seen ports\nflush set ${ip} seen pings\n`)
    this.#batch += 1
    const last: Packet = {
      ...{ source: '169.254.8.2', destination: '192.0.2.77', protocol: 'udp' },
      ...{ sourcePort: 1, destinationPort: this.#batch },
    }
    this.#sender.stdin?.write(`${JSON.stringify([...packets, last])}\n`)
    await this.#answers.next()
    let arrived = this.#arrivals()
    const isWhole = (): boolean => {
      arrived = this.#arrivals()
      return arrived.delete(packetKey(last)) && [...expected].every((key) => arrived.has(key))
    }
    // What is missing then is for the caller to say.
    await waitUntil('packets', isWhole, 10_000).catch(() => arrived.delete(packetKey(last)))
    // A kernel sends what was not answered before once more, late enough to meet other rules.
    const sent = new Set(packets.map(packetKey))
    return new Set([...arrived].filter((key) => sent.has(key)))
  }

  #arrivals(): Set<string> {
    const { nftables } = JSON.parse(this.#receivers.run(['nft', '-j', 'list', 'ruleset'])) as { nftables: Listed[] }
    const elements = nftables.flatMap(({ set }) => set?.elem ?? [])
    return new Set(elements.map((each) => ('elem' in each ? each.elem.val : each).concat.join(' ')))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#sender, 'exit')
    this.#sender.stdin?.end()
    if (this.#sender.exitCode === null) await ended
    for (const each of [this.#senders, this.#receivers, this.router]) await each[Symbol.asyncDispose]()
  }
}

interface Concatenation {
  readonly concat: readonly (string | number)[]
}

interface Listed {
  readonly set?: { readonly elem?: readonly (Concatenation | { readonly elem: { readonly val: Concatenation } })[] }
}
