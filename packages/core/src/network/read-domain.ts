import type { DomainResolver, OwnDomain } from '../model/own-domain.ts'
import { IssueList, type SpecIssue } from '../spec/spec-issue.ts'
import { tryParseAddress } from './address-block.ts'
import { linkLocalAddresses, nobodysAddresses } from './address-use.ts'
import { canonicalAddress } from './address6.ts'
import { hostNameProblem } from './host-name.ts'
import { nodeDnsAddress } from './node-dns-address.ts'

/** An own domain as people write it. */
export interface DomainDocument {
  /** With or without the cluster's domain at its end. */
  readonly target?: string | undefined
  readonly addresses?: readonly string[] | undefined
  readonly resolvers?: readonly { readonly address: string; readonly site?: string | undefined }[] | undefined
}

export interface ReadDomain {
  /** Present exactly when there are no issues. */
  readonly domain?: OwnDomain
  readonly issues: readonly SpecIssue[]
}

const maxAddresses = 64
const maxResolvers = 32

/** Its canonical form, or every mistake. `own` is the cluster's domain. */
export function readDomain(name: string, document: DomainDocument, own: string): ReadDomain {
  const issues = new IssueList()
  checkName(issues, name, own)
  const { target, addresses, resolvers } = document
  const given = [target, addresses, resolvers].filter((each) => each !== undefined && each.length > 0)
  if (given.length !== 1)
    issues.add([], given.length === 0 ? 'nothing says what it means' : 'more than one thing says what it means', {
      suggestion: 'give a target, addresses, or resolvers',
    })
  const read: OwnDomain = {
    name,
    ...(target === undefined ? {} : { target: readTarget(issues, target, own) }),
    ...(addresses?.length ? { addresses: readAddresses(issues, addresses) } : {}),
    ...(resolvers?.length ? { resolvers: readResolvers(issues, name, resolvers) } : {}),
  }
  const found = issues.independent()
  return found.length > 0 ? { issues: found } : { domain: read, issues: [] }
}

function checkName(issues: IssueList, name: string, own: string): void {
  const base = name.startsWith('*.') ? name.slice(2) : name
  const problem = hostNameProblem(base)
  if (problem !== undefined) issues.add(['name'], `${JSON.stringify(name)} ${problem}`)
  else if (base.split('.').some((label) => label.startsWith('_')))
    issues.add(['name'], `${name} has a port or protocol in it: those are answered with the name behind them`)
  else if (base === own || base.endsWith(`.${own}`))
    issues.add(
      ['name'],
      `${name} is of the cluster’s own domain ${own}: names there are those of apps and external services`,
    )
  else if (
    tryParseAddress(base) !== undefined ||
    base === 'in-addr.arpa' ||
    base === 'ip6.arpa' ||
    base === 'localhost'
  )
    issues.add(['name'], `${name} cannot be a domain of your own`)
}

const targetPattern = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?){0,2}$/

function readTarget(issues: IssueList, target: string, own: string): string {
  const short = target.endsWith(`.${own}`) ? target.slice(0, -own.length - 1) : target
  if (!targetPattern.test(short))
    issues.add(['target'], `${JSON.stringify(target)} is no name of Berth’s`, {
      suggestion: 'write APP, ENTRYPOINT.APP, ENTRYPOINT.POOL.APP, or that of an instance or external service',
    })
  return short
}

function readAddresses(issues: IssueList, addresses: readonly string[]): readonly string[] {
  if (addresses.length > maxAddresses) issues.add(['addresses'], `at most ${maxAddresses} are possible`)
  const read = addresses.map((address) => canonicalAddress(address) ?? address)
  for (const [index, address] of read.entries()) {
    if (canonicalAddress(address) === undefined)
      issues.add(['addresses', index], `${JSON.stringify(address)} is no IPv4 or IPv6 address`)
    else if (nobodysAddresses.has(address)) issues.add(['addresses', index], `${address} is nobody’s address`)
    else if (read.indexOf(address) < index) issues.add(['addresses', index], `${address} is given twice`)
  }
  return read
}

function readResolvers(
  issues: IssueList,
  name: string,
  resolvers: NonNullable<DomainDocument['resolvers']>,
): readonly DomainResolver[] {
  if (name.startsWith('*.'))
    issues.add(['name'], `${name} has resolvers, and those are asked for all that is below`, {
      suggestion: `leave \`*.\` out: ${name.slice(2)}`,
    })
  if (resolvers.length > maxResolvers) issues.add(['resolvers'], `at most ${maxResolvers} are possible`)
  const read = resolvers.map((each) => ({ ...each, address: canonicalAddress(each.address) ?? each.address }))
  return read.map(({ address, site }, index) => {
    const path = ['resolvers', index]
    if (canonicalAddress(address) === undefined || nobodysAddresses.has(address))
      issues.add(path, `${JSON.stringify(address)} is no IPv4 or IPv6 address of a resolver`)
    else if (linkLocalAddresses.has(address))
      issues.add(path, `${address} is link-local: nodes could not tell on which link it is`)
    else if (address === nodeDnsAddress) issues.add(path, `${address} is Berth’s own DNS: it would ask itself`)
    else if (read.findIndex((each) => each.address === address && each.site === site) < index)
      issues.add(path, `${address} is given twice`)
    if (site !== undefined && !/^[A-Za-z0-9._:/@+-]{1,63}$/.test(site))
      issues.add(path, `${JSON.stringify(site)} is no site: it is a value of the label \`site\` of nodes`)
    return { address, ...(site === undefined ? {} : { site }) }
  })
}

/** Of one label, for networks of one's own; everything else of one label is, or may become, a public one. */
const privateTops = new Set(['internal', 'lan', 'local', 'home', 'corp', 'intranet', 'private', 'test'])

/** What is allowed but seldom meant, one sentence each. */
export function domainWarnings({ name, resolvers }: OwnDomain): string[] {
  const base = name.startsWith('*.') ? name.slice(2) : name
  const isWide = name !== base || resolvers !== undefined
  if (base.includes('.') || !isWide || privateTops.has(base)) return []
  return [`all names below ${base} are answered so, and ${base} may be a top-level domain of the Internet`]
}
