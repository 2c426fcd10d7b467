import { serviceName } from '../discovery/service-name.ts'
import type { NamedExternal, NamedService, NameEntry, NetworkConfig } from '../model/assignment.ts'
import { canonicalAddress, formatAddress6 } from './address6.ts'
import type { AppNames } from './app-names.ts'
import { answerAddresses } from './external-names.ts'
import type { NameAnswer, NameQuestionType, ServiceTarget } from './name-answer.ts'

/** Consul's names made ready for questions. */
export interface ConsulIndex {
  /** `consul` */
  readonly domain: string
  readonly services: ReadonlyMap<string, ConsulService>
  /** Addresses by node. */
  readonly nodes: ReadonlyMap<string, string>
  readonly sites: ReadonlySet<string>
}

interface ConsulService {
  readonly members: ConsulMember[]
}

interface ConsulMember {
  readonly addresses: readonly string[]
  /** Absent: it has none of its own, and is known by its address. */
  readonly name?: string
  readonly port: number | undefined
  readonly tags: readonly string[]
  readonly site: string | undefined
}

export interface ConsulSource {
  readonly apps: ReadonlyMap<string, AppNames>
  readonly externals: Iterable<NamedExternal>
  readonly registered: readonly NamedService[]
  readonly network: Pick<NetworkConfig, 'consul' | 'domain'> & Partial<Pick<NetworkConfig, 'peers'>>
  readonly nameOf: (entry: NameEntry) => string
  readonly twin: (address: string) => string | undefined
}

/** All sites. */
const allSites = 'berth'

/** Undefined: nobody asked for them. A name that two things would have is neither's. */
export function indexConsul(source: ConsulSource): ConsulIndex | undefined {
  const { network, apps } = source
  if (network.consul === undefined) return undefined
  const services = new Map<string, ConsulService>()
  const ambiguous = new Set<string>()
  const add = (name: string, service: ConsulService): void => {
    if (services.has(name)) ambiguous.add(name)
    else services.set(name, service)
  }
  for (const [app, names] of apps)
    for (const pool of names.pools)
      [...names.entrypoints].forEach((entrypoint, place) => {
        const ready = names.ready.get(`${entrypoint}.${pool}`) ?? []
        const name = serviceName(place === 0 ? [app, pool] : [app, pool, entrypoint])
        add(name, { members: ready.map((entry) => memberOf(entry, source)) })
      })
  for (const name of ambiguous) services.delete(name)
  for (const external of source.externals) {
    const name = external.name.replaceAll('.', '-')
    if (!services.has(name) && external.target === undefined) services.set(name, { members: outsideMembers(external) })
  }
  const own = new Set(services.keys())
  for (const each of source.registered) {
    const name = each.service.toLowerCase()
    if (own.has(name)) continue
    const { address, port, tags, site } = each
    const known = services.get(name) ?? { members: [] }
    if (canonicalAddress(address) !== undefined) known.members.push({ addresses: [address], port, tags, site })
    services.set(name, known)
  }
  const { node, address } = network.consul
  const nodes = new Map((network.peers ?? []).map((peer) => [peer.node, peer.via]))
  nodes.set(node, address)
  const sites = [...services.values()].flatMap(({ members }) => members.flatMap(({ site }) => site ?? []))
  return { domain: network.consul.domain, services, nodes, sites: new Set([allSites, ...sites]) }
}

function memberOf(entry: NameEntry, { nameOf, twin }: ConsulSource): ConsulMember {
  const other = entry.only4 === true ? undefined : twin(entry.address)
  return {
    addresses: other === undefined ? [entry.address] : [entry.address, other],
    name: nameOf(entry),
    port: entry.ports[0]?.port,
    tags: [entry.entrypoint, entry.pool, 'berth', ...(entry.tags ?? [])],
    site: entry.site,
  }
}

function outsideMembers({ addresses, addresses6 = [], ports, site }: NamedExternal): ConsulMember[] {
  return [...addresses, ...addresses6].map((address) => ({
    ...{ addresses: [address], port: ports[0]?.port, tags: ['external'], site },
  }))
}

/**
 * `<service>.service`, `<tag>.<service>.service`, `_<service>._<tag or tcp>.service` (SRV), `<node>.node`, `<address in hex>.addr`, each with a
 * datacenter behind it or none; all below the domain. `labels` are those before it. `near`: the asker's site, whose members come first.
 */
export function answerConsul(
  index: ConsulIndex,
  labels: readonly string[],
  type: NameQuestionType,
  near: string | undefined,
): NameAnswer {
  const zone = index.domain
  const kinds = ['service', 'node', 'addr']
  const end = labels.length - 1
  const place = kinds.includes(labels[end] ?? '') ? end : end - 1
  const [kind = '', site = allSites] = [labels[place], labels[place + 1]]
  if (!kinds.includes(kind) || !index.sites.has(site) || place < 1) return { kind: 'unknown', zone }
  const words = labels.slice(0, place)
  const answer =
    kind === 'service'
      ? answerService(index, words, type, site === allSites ? undefined : site, near)
      : answerOne(kind === 'node' ? index.nodes.get(words.join('.')) : addressOfHex(words.join('.')), type)
  return answer.kind === 'empty' || answer.kind === 'unknown' ? { ...answer, zone } : answer
}

function answerService(
  index: ConsulIndex,
  words: readonly string[],
  type: NameQuestionType,
  site: string | undefined,
  near: string | undefined,
): NameAnswer {
  const isRfc = words.length === 2 && words[0]?.startsWith('_') === true && words[1]?.startsWith('_') === true
  const [name = '', tag] = isRfc ? words.map((word) => word.slice(1)) : [words.at(-1), words.slice(0, -1).join('.')]
  const service = index.services.get(name)
  if (service === undefined) return { kind: 'unknown' }
  const isAny = tag === undefined || tag === '' || (isRfc && (tag === 'tcp' || tag === 'udp'))
  const chosen = service.members.filter(
    (member) => (site === undefined || member.site === site) && (isAny || hasTag(member, tag)),
  )
  if (chosen.length === 0 && !isAny) return { kind: 'unknown' }
  const isNear = (member: ConsulMember): boolean => near === undefined || member.site === near
  const nearest = chosen.filter(isNear)
  const members = [...nearest, ...chosen.filter((member) => !isNear(member))]
  const part = nearest.length === 0 || nearest.length === members.length ? members.length : nearest.length
  if (type === 'SRV') return answerPorts(index, members, part)
  if (type !== 'A' && type !== 'AAAA') return { kind: 'empty' }
  const addressesOf = (some: readonly ConsulMember[]) =>
    some.flatMap(({ addresses }) => addresses.filter((each) => each.includes(':') === (type === 'AAAA')))
  const addresses = addressesOf(members)
  if (addresses.length === 0) return { kind: 'empty' }
  return { kind: 'addresses', addresses, ...(part === members.length ? {} : { near: addressesOf(nearest).length }) }
}

const hasTag = ({ tags }: ConsulMember, tag: string): boolean => tags.some((each) => each.toLowerCase() === tag)

function answerPorts({ domain }: ConsulIndex, members: readonly ConsulMember[], near: number): NameAnswer {
  const services = members.flatMap(({ addresses, name, port }, place): ServiceTarget[] => {
    const [address = ''] = addresses
    const target = name ?? `${hexOf(address)}.addr.${domain}`
    return port === undefined
      ? []
      : [{ name: target, addresses, port, ...(place < near ? {} : { isFar: true as const }) }]
  })
  return services.length === 0 ? { kind: 'empty' } : { kind: 'services', services }
}

function answerOne(address: string | undefined, type: NameQuestionType): NameAnswer {
  if (address === undefined) return { kind: 'unknown' }
  return answerAddresses(address.includes(':') ? { addresses6: [address] } : { addresses: [address] }, type)
}

/** `0a4d0102` */
function hexOf(address: string): string {
  if (!address.includes(':'))
    return address
      .split('.')
      .map((part) => Number(part).toString(16).padStart(2, '0'))
      .join('')
  const [head = '', tail = ''] = address.split('::')
  const groups = (text: string) => (text === '' ? [] : text.split(':'))
  const missing = 8 - groups(head).length - groups(tail).length
  return [...groups(head), ...Array<string>(address.includes('::') ? missing : 0).fill('0'), ...groups(tail)]
    .map((group) => group.padStart(4, '0'))
    .join('')
}

function addressOfHex(hex: string): string | undefined {
  if (/^[0-9a-f]{32}$/.test(hex)) return formatAddress6(BigInt(`0x${hex}`))
  if (!/^[0-9a-f]{8}$/.test(hex)) return undefined
  return [0, 2, 4, 6].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)).join('.')
}
