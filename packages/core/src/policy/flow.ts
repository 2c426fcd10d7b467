import { canonicalAddress } from '../network/address6.ts'
import type { Packet } from './decide-packet.ts'

/** A connection as a kernel tracks it. Addresses of IPv6 are in their one form. */
export interface Flow {
  readonly protocol: string
  /** Who began it, before any translation of its address. */
  readonly source: string
  readonly sourcePort?: number
  /** Who answers, behind any translation: what rules see. */
  readonly destination: string
  readonly destinationPort?: number
  readonly icmpType?: number
  readonly icmpCode?: number
  /** Of TCP: `ESTABLISHED`. */
  readonly state?: string
  /** There was a packet back. */
  readonly isAnswered: boolean
  /** `203.0.113.5:80`: where it was sent to, when that was translated. */
  readonly sentTo?: string
  /** Both ways; where the kernel counts them (`net.netfilter.nf_conntrack_acct`). */
  readonly packets?: number
  readonly bytes?: number
}

/** A line of `/proc/net/nf_conntrack` or of `conntrack -L`. undefined: no line of theirs. */
export function parseFlow(line: string): Flow | undefined {
  const words = line.trim().split(/\s+/)
  if (words[0] === 'ipv4' || words[0] === 'ipv6') words.splice(0, 2)
  const [protocol = ''] = words
  const pairs = words.flatMap((word): (readonly [string, string])[] => {
    const at = word.indexOf('=')
    return at < 1 ? [] : [pairOf(word.slice(0, at), word.slice(at + 1))]
  })
  const second = pairs.findIndex(([key], index) => index > 0 && key === 'src')
  if (second < 0 || !/^[a-z0-9]+$/.test(protocol)) return undefined
  const sent = new Map(pairs.slice(0, second))
  const back = new Map(pairs.slice(second))
  const [source, destination] = [sent.get('src') ?? '', back.get('src') ?? '']
  if (destination === '') return undefined
  const state = words.find((word, index) => index > 0 && /^[A-Z][A-Z_0-9]+$/.test(word))
  return {
    ...{ protocol, source, destination },
    ...numbers({ sourcePort: sent.get('sport'), destinationPort: back.get('sport') }),
    ...numbers({ icmpType: sent.get('type'), icmpCode: sent.get('code') }),
    ...(state === undefined ? {} : { state }),
    isAnswered: !words.includes('[UNREPLIED]'),
    ...translated(sent, back),
    ...numbers({ packets: both(sent, back, 'packets'), bytes: both(sent, back, 'bytes') }),
  }
}

/** The proc file writes all groups of an address of IPv6, with their zeros. */
const pairOf = (key: string, text: string): readonly [string, string] =>
  key === 'src' || key === 'dst' ? [key, canonicalAddress(text) ?? text] : [key, text]

type Pairs = ReadonlyMap<string, string>

function numbers<K extends string>(texts: Readonly<Record<K, string | undefined>>): { readonly [each in K]?: number } {
  const known = Object.entries<string | undefined>(texts).filter(([, text]) => text !== undefined)
  return Object.fromEntries(known.map(([key, text]) => [key, Number(text)])) as { readonly [each in K]?: number }
}

const both = (sent: Pairs, back: Pairs, key: string): string | undefined =>
  sent.has(key) || back.has(key) ? String(Number(sent.get(key) ?? 0) + Number(back.get(key) ?? 0)) : undefined

function translated(sent: Pairs, back: Pairs): { readonly sentTo?: string } {
  const [to = '', port] = [sent.get('dst'), sent.get('dport')]
  if (to === back.get('src') && port === back.get('sport')) return {}
  return { sentTo: port === undefined ? to : `${to.includes(':') ? `[${to}]` : to}:${port}` }
}

/** What began it, to be decided about anew. */
export function firstPacket(flow: Flow): Packet {
  const { source, destination, protocol, sourcePort, destinationPort, icmpType, icmpCode } = flow
  return {
    ...{ source, destination, protocol },
    ...(sourcePort === undefined ? {} : { sourcePort }),
    ...(destinationPort === undefined ? {} : { destinationPort }),
    ...(icmpType === undefined ? {} : { icmpType }),
    ...(icmpCode === undefined ? {} : { icmpCode }),
  }
}

/** Of flows that the nodes of both ends tell each once: what one has seen answered is answered. */
export function mergeFlows(flows: Iterable<Flow>): Flow[] {
  const merged = new Map<string, Flow>()
  for (const flow of flows) {
    const { protocol, source, sourcePort, destination, destinationPort, icmpType } = flow
    const key = [protocol, source, sourcePort, destination, destinationPort, icmpType].join(' ')
    const other = merged.get(key)
    if (other === undefined || (flow.isAnswered && !other.isAnswered)) merged.set(key, flow)
  }
  return [...merged.values()]
}
