import type { NamedDomain } from '../model/assignment.ts'
import type { DomainResolver, OwnDomain } from '../model/own-domain.ts'

/** Own domains made ready for questions. */
export interface DomainIndex {
  /** Also wildcards, by what they are below. */
  readonly exact: ReadonlyMap<string, NamedDomain>
  readonly below: ReadonlyMap<string, NamedDomain>
  /** Names by their addresses; a wildcard is no name. */
  readonly byAddress: ReadonlyMap<string, string>
}

export function indexDomains(domains: readonly NamedDomain[] = []): DomainIndex {
  const exact = new Map<string, NamedDomain>()
  const below = new Map<string, NamedDomain>()
  const byAddress = new Map<string, string>()
  for (const domain of domains) {
    if (domain.resolvers !== undefined) continue
    if (domain.name.startsWith('*.')) {
      below.set(domain.name.slice(2), domain)
      continue
    }
    exact.set(domain.name, domain)
    for (const each of [...(domain.addresses ?? []), ...(domain.addresses6 ?? [])]) byAddress.set(each, domain.name)
  }
  return { exact, below, byAddress }
}

export interface FoundDomain {
  readonly domain: NamedDomain
  /** Of the name that was asked for, without what tells port and protocol. */
  readonly name: string
  /** `_http`, `_tcp`, or nothing. */
  readonly service: readonly string[]
}

/** What answers for a name: the domain of just that name, else the nearest wildcard above it. */
export function findDomain({ exact, below }: DomainIndex, name: string): FoundDomain | undefined {
  if (exact.size === 0 && below.size === 0) return undefined
  const labels = name.split('.')
  const service = labels[0]?.startsWith('_') && labels[1]?.startsWith('_') ? labels.splice(0, 2) : []
  const own = labels.join('.')
  const found = exact.get(own)
  if (found !== undefined) return { domain: found, name: own, service }
  for (let from = 1; from < labels.length; from++) {
    const wildcard = below.get(labels.slice(from).join('.'))
    if (wildcard !== undefined) return { domain: wildcard, name: own, service }
  }
  return undefined
}

/** Who is asked, by a node of this site, for names in and below a domain. */
export interface ForwardZone {
  readonly name: string
  readonly resolvers: readonly string[]
}

/** The ones of the site, else those of no site. None is left: nobody is asked, and never the host's resolvers. */
export function forwardZones(domains: readonly OwnDomain[] = [], site: string | undefined): ForwardZone[] {
  return domains.flatMap(({ name, resolvers }) => {
    if (resolvers === undefined) return []
    const near = resolvers.filter((each) => site !== undefined && each.site === site)
    const asked: readonly DomainResolver[] =
      near.length > 0 ? near : resolvers.filter((each) => each.site === undefined)
    return [{ name, resolvers: asked.map(({ address }) => address) }]
  })
}
