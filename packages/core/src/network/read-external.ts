import type { ExternalPort, ExternalRoute, ExternalService } from '../model/external-service.ts'
import { isEntrypointName, isName, nameRule } from '../model/names.ts'
import { isTagName } from '../policy/profile.ts'
import { isPortRoute } from '../spec/canonical-port-routes.ts'
import { canonicalPorts } from '../spec/canonical-ports.ts'
import { canonicalRoutes } from '../spec/canonical-routes.ts'
import type { EntrypointDocument, RouteDocument } from '../spec/spec-document.ts'
import { IssueList, type SpecIssue } from '../spec/spec-issue.ts'
import { AddressRanges, unreachableAddresses } from './address-use.ts'
import { canonicalAddress } from './address6.ts'
import { hostNameProblem } from './host-name.ts'

/** An external service as people write it; ports and routes as in a `berth.yaml`. */
export interface ExternalDocument {
  readonly addresses?: readonly string[] | undefined
  readonly target?: string | undefined
  readonly ports?: EntrypointDocument['ports']
  readonly tags?: readonly string[] | undefined
  readonly site?: string | undefined
  readonly routes?: readonly (string | Omit<RouteDocument, 'entrypoint'>)[] | undefined
}

/** Of the cluster's network: external services are elsewhere. */
export interface OwnNetwork {
  readonly domain: string
  /** Of IPv4 and, where pools have it, of IPv6. */
  readonly addressPools: readonly string[]
}

export interface ReadExternal {
  /** Present exactly when there are no issues. */
  readonly external?: ExternalService
  readonly issues: readonly SpecIssue[]
}

const maxAddresses = 64
const maxTags = 20
const maxPorts = 64
const maxRoutes = 64

/** Its canonical form, or every mistake. */
export function readExternal(name: string, document: ExternalDocument, own: OwnNetwork): ReadExternal {
  const issues = new IssueList()
  checkExternalName(issues, name)
  const addresses = readAddresses(issues, document, own)
  checkTarget(issues, document, own)
  const ports = readPorts(issues, document)
  const tags = readTags(issues, document.tags ?? [])
  const { site, target } = document
  if (site !== undefined && !/^[A-Za-z0-9._:/@+-]{1,63}$/.test(site))
    issues.add(['site'], `${JSON.stringify(site)} is no site: it is a value of the label \`site\` of nodes`)
  const routes = readRoutes(issues, name, document, ports)
  const found = issues.independent()
  if (found.length > 0) return { issues: found }
  const place = { ...(target === undefined ? {} : { target }), ...(site === undefined ? {} : { site }) }
  return { external: { name, addresses, ...place, ports, tags, routes }, issues: [] }
}

/** `mysql`, `mysql.shop`, `mysql.staging.shop`. */
function checkExternalName(issues: IssueList, name: string): void {
  const [own = '', ...scope] = name.split('.')
  if (scope.length > 2)
    issues.add(['name'], `${JSON.stringify(name)} has too many parts: write NAME, NAME.APP or NAME.POOL.APP`)
  else if (!isName(own) || !scope.every(isName))
    issues.add(['name'], `${JSON.stringify(name)} cannot name an external service: each part has ${nameRule}`)
  else if (!isEntrypointName(own))
    issues.add(['name'], `${JSON.stringify(own)} ends like an instance's name: leave the number out`)
}

function readAddresses(issues: IssueList, document: ExternalDocument, own: OwnNetwork): readonly string[] {
  const { addresses = [], target } = document
  const given = addresses.length > 0
  if (given === (target !== undefined))
    issues.add(
      ['addresses'],
      given ? 'there are addresses and a target: give one of them' : 'there is neither an address nor a target',
      { suggestion: 'addresses where they are fixed, a target where somebody else’s name leads to them' },
    )
  if (addresses.length > maxAddresses) issues.add(['addresses'], `at most ${maxAddresses} are possible`)
  const pools = new AddressRanges(...own.addressPools)
  const read = addresses.map((address) => canonicalAddress(address) ?? address)
  for (const [index, address] of read.entries()) {
    const problem = addressProblem(address, pools)
    if (problem !== undefined) issues.add(['addresses', index], `${JSON.stringify(address)} ${problem}`)
    else if (read.indexOf(address) < index) issues.add(['addresses', index], `${address} is given twice`)
  }
  return read
}

function addressProblem(address: string, pools: AddressRanges): string | undefined {
  if (canonicalAddress(address) === undefined)
    return 'is no IPv4 or IPv6 address; write e.g. 192.0.2.7 or 2001:db8::7, or a host name as target'
  if (pools.has(address)) return 'is in the cluster’s own pool: what has it is no external service'
  if (unreachableAddresses.has(address)) return 'is no address that instances could reach'
  return undefined
}

function checkTarget(issues: IssueList, { target, tags = [], routes = [] }: ExternalDocument, own: OwnNetwork): void {
  if (target === undefined) return
  const problem = hostNameProblem(target)
  if (problem !== undefined) issues.add(['target'], `${JSON.stringify(target)} ${problem}`)
  else if (canonicalAddress(target) !== undefined)
    issues.add(['target'], `${target} is an address`, { suggestion: 'give it as one' })
  else if (target === own.domain || target.endsWith(`.${own.domain}`))
    issues.add(['target'], `${target} is a name of Berth’s own: what it names is no external service`)
  if (tags.length > 0) issues.add(['tags'], 'rules know addresses, and a target has none that stay: give addresses')
  if (routes.length > 0) issues.add(['routes'], 'a gateway needs addresses, and there is a target: give addresses')
}

function readPorts(issues: IssueList, { ports }: ExternalDocument): readonly ExternalPort[] {
  const read = canonicalPorts(issues, ['ports'], ports)
  if (read.length > maxPorts) issues.add(['ports'], `at most ${maxPorts} are possible`)
  return read.map(({ hostPort, ...port }) => {
    if (hostPort !== undefined)
      issues.add(['ports'], `port ${port.name}: nothing of an external service is published by a node`, {
        suggestion: 'leave `hostPort` out',
      })
    return port
  })
}

function readTags(issues: IssueList, tags: readonly string[]): readonly string[] {
  if (tags.length > maxTags) issues.add(['tags'], `at most ${maxTags} are possible`)
  for (const [index, tag] of tags.entries())
    if (!isTagName(tag)) issues.add(['tags', index], `${JSON.stringify(tag)} cannot be a tag`)
  return [...new Set(tags)].sort()
}

function readRoutes(
  issues: IssueList,
  name: string,
  { routes = [] }: ExternalDocument,
  ports: readonly ExternalPort[],
): readonly ExternalRoute[] {
  if (routes.length === 0) return []
  if (routes.length > maxRoutes) issues.add(['routes'], `at most ${maxRoutes} are possible`)
  if (!ports.some(({ protocol }) => protocol === 'tcp')) {
    issues.add(['routes'], 'there is no tcp port that the gateway could pass requests to', {
      suggestion: 'declare one: ports: [8080]',
    })
    return []
  }
  for (const [index, route] of routes.entries())
    if (isPortRoute(route))
      issues.add(
        ['routes', index],
        'a port of the gateways leads to instances: an external service is reached at its own address',
        {
          suggestion: 'leave it out, or write a route with a host',
        },
      )
    else refuseOptions(issues, index, route)
  const read = canonicalRoutes(issues, ['routes'], routes, { [name]: { type: 'service', ports } })
  return read.map(({ entrypoint: _, ...route }) => route)
}

/** What only instances have. */
function refuseOptions(issues: IssueList, index: number, route: NonNullable<ExternalDocument['routes']>[number]): void {
  if (typeof route === 'string') return
  if (route.sites !== undefined)
    issues.add(['routes', index, 'sites'], 'gateways of all sites lead to the same addresses of an external service')
  if (route.whenEmpty === 'maintenance')
    issues.add(
      ['routes', index, 'whenEmpty'],
      'nobody tells whether an external service is there, so it is never empty',
      {
        suggestion: 'berth route maintenance HOST on',
      },
    )
}
