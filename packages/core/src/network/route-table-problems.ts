import { stickyBounds } from '../model/port-route-spec.ts'
import { isCookieName, type RouteLimit, retryStatuses, routeOptionBounds } from '../model/route-options.ts'
import type { Certificate, Member, PortRoute, Route, RouteTable, RouteTarget } from './route-table.ts'

/** What is wrong with a table, and where: `routes[3].targets[0].weight`. */
export interface RouteTableProblem {
  readonly path: string
  readonly message: string
}

const maxWeight = 65_535
const maxTimeoutMs = 86_400_000
const maxPathLength = 1024
const maxNameLength = 2048
const maxPageLength = 65_536

/** Routes in which nothing was found. Tables share those that have not changed, and none is changed once it is made. */
const sound = new WeakSet<Route>()

/** Every problem of `table`, in its order; an empty list means that a gateway can apply it. */
export function findRouteTableProblems(table: RouteTable): RouteTableProblem[] {
  const problems: RouteTableProblem[] = []
  const report: Report = (path, message) => problems.push({ path, message })
  if (!isWhole(table.version, 0, Number.MAX_SAFE_INTEGER)) report('version', 'must be a whole number, 0 or more')
  const ids = new Map<string, string>()
  const places = new Map<string, string>()
  table.routes.forEach((route, index) => {
    const at = `routes[${index}]`
    if (!sound.has(route)) {
      const before = problems.length
      checkRoute(route, at, report)
      if (problems.length === before) sound.add(route)
    }
    claim(ids, route.id, `${at}.id`, `route id ${quote(route.id)}`, report)
    claim(places, `${route.host} ${route.path}`, at, `${quote(route.host + route.path)}`, report)
  })
  const names = new Map<string, string>()
  table.certificates.forEach((certificate, index) => {
    checkCertificate(certificate, `certificates[${index}]`, names, report)
  })
  ;(table.ports ?? []).forEach((route, index) => {
    checkPortRoute(route, `ports[${index}]`, report)
    claim(ids, route.id, `ports[${index}].id`, `route id ${quote(route.id)}`, report)
    claim(places, `${route.protocol} ${route.port}`, `ports[${index}]`, `port ${route.port}/${route.protocol}`, report)
  })
  return problems
}

function checkPortRoute(route: PortRoute, at: string, report: Report): void {
  const { id, protocol, port, targets, stickyMs, allow = [] } = route
  checkName(id, `${at}.id`, report)
  if (!['tcp', 'udp'].includes(protocol)) report(`${at}.protocol`, 'must be tcp or udp')
  if (!isWhole(port, 1, 65_535)) report(`${at}.port`, 'must be between 1 and 65535')
  if (stickyMs !== undefined && !isWhole(stickyMs, stickyBounds.least, stickyBounds.most))
    report(`${at}.stickyMs`, `must be a whole number between ${stickyBounds.least} and ${stickyBounds.most}`)
  allow.forEach((block, index) => {
    const [address = '', prefix = '', ...rest] = block.split('/')
    const isBlock = rest.length === 0 && /^\d{1,3}$/.test(prefix) && Number(prefix) <= (isIpv4(address) ? 32 : 128)
    if (!isBlock || !isAddress(address)) report(`${at}.allow[${index}]`, `${quote(block)} is no block of addresses`)
  })
  checkTargets(targets, at, report)
}

type Report = (path: string, message: string) => void

function claim(taken: Map<string, string>, key: string, at: string, what: string, report: Report): void {
  const first = taken.get(key)
  if (first === undefined) taken.set(key, at)
  else report(at, `${what} is already given by ${first}`)
}

function checkRoute(route: Route, at: string, report: Report): void {
  checkName(route.id, `${at}.id`, report)
  const host = hostProblem(route.host)
  if (host !== undefined) report(`${at}.host`, `${quote(route.host)} ${host}`)
  const path = pathProblem(route.path)
  if (path !== undefined) report(`${at}.path`, `${quote(route.path)} ${path}`)
  if (!['off', 'on', 'redirect'].includes(route.tls)) report(`${at}.tls`, 'must be off, on or redirect')
  if (!isWhole(route.timeoutMs, 1, maxTimeoutMs)) report(`${at}.timeoutMs`, `must be between 1 and ${maxTimeoutMs}`)
  if (route.maxBodyBytes !== undefined && !isWhole(route.maxBodyBytes, 0, Number.MAX_SAFE_INTEGER)) {
    report(`${at}.maxBodyBytes`, 'must be a whole number of bytes, 0 or more')
  }
  checkOptions(route, at, report)
  checkTargets(route.targets, at, report)
  if (route.writes !== undefined) checkTargets(route.writes.targets, `${at}.writes`, report)
  if (route.far === undefined) return
  const { targets, share, inflight } = route.far
  checkTargets(targets, `${at}.far`, report)
  if (!isWhole(share, 0, 1_000)) report(`${at}.far.share`, 'must be a whole number from 0 to 1000')
  if (inflight !== undefined && !isWhole(inflight, 1, maxWeight))
    report(`${at}.far.inflight`, `must be a whole number from 1 to ${maxWeight}`)
}

function checkTargets(targets: readonly RouteTarget[], at: string, report: Report): void {
  targets.forEach((target, index) => {
    checkTarget(target, `${at}.targets[${index}]`, report)
  })
}

function checkOptions({ options, maintenance, emptyPage, answer }: Route, at: string, report: Report): void {
  for (const [name, page] of [
    ['maintenance', maintenance?.page],
    ['emptyPage', emptyPage],
  ] as const)
    if (page !== undefined && page.length > maxPageLength)
      report(`${at}.${name}`, `must have at most ${maxPageLength} characters`)
  if (answer !== undefined && (answer.length > maxNameLength || hasControlCharacter(answer)))
    report(`${at}.answer`, `must have at most ${maxNameLength} printable characters`)
  if (options === undefined) return
  for (const [name, [least, most]] of Object.entries(routeOptionBounds)) {
    const value = options[name as keyof typeof routeOptionBounds]
    if (value !== undefined && !isWhole(value, least, most))
      report(`${at}.options.${name}`, `must be a whole number between ${least} and ${most}`)
  }
  const { limit, stickyCookie, ejection, protocol, retryOn } = options
  if (retryOn !== undefined && (retryOn.length === 0 || !isInOrder(retryOn, retryStatuses)))
    report(`${at}.options.retryOn`, `must be some of ${retryStatuses.join(', ')}, in this order`)
  if (protocol !== undefined && protocol !== 'grpc') report(`${at}.options.protocol`, 'must be grpc or absent')
  if (stickyCookie !== undefined && !isCookieName(stickyCookie))
    report(`${at}.options.stickyCookie`, `${quote(stickyCookie)} is no name of a cookie`)
  if (ejection !== undefined && !(isWhole(ejection.failures, 0, 1_000) && isWhole(ejection.restMs, 0, maxTimeoutMs)))
    report(`${at}.options.ejection`, 'must be failures between 0 and 1000 and a rest in ms')
  if (limit !== undefined) checkLimit(limit, `${at}.options.limit`, report)
}

/** Some of `all`, each once, as they follow each other there. */
const isInOrder = (some: readonly number[], all: readonly number[]): boolean =>
  some.join() === all.filter((each) => some.includes(each)).join()

function checkLimit(limit: RouteLimit, at: string, report: Report): void {
  const { requests, periodMs, burst, concurrent } = limit
  if (!isWhole(requests, 0, 1_000_000)) report(`${at}.requests`, 'must be between 0 and 1000000')
  if (!isWhole(periodMs, 1, maxTimeoutMs)) report(`${at}.periodMs`, `must be between 1 and ${maxTimeoutMs}`)
  if (!isWhole(burst, 0, 1_000_000)) report(`${at}.burst`, 'must be between 0 and 1000000')
  if (!isWhole(concurrent, 0, 1_000_000)) report(`${at}.concurrent`, 'must be between 0 and 1000000')
}

function checkTarget(target: RouteTarget, at: string, report: Report): void {
  checkName(target.pool, `${at}.pool`, report)
  checkWeight(target.weight, `${at}.weight`, report)
  const addresses = new Map<string, string>()
  target.members.forEach((member, index) => {
    const path = `${at}.members[${index}]`
    checkMember(member, path, report)
    claim(addresses, `${member.address} ${member.port}`, path, `${quote(member.address)} port ${member.port}`, report)
  })
}

function checkMember(member: Member, at: string, report: Report): void {
  checkName(member.instance, `${at}.instance`, report)
  if (!isAddress(member.address)) report(`${at}.address`, `${quote(member.address)} is no IPv4 or IPv6 address`)
  const { address6 } = member
  if (address6 !== undefined && !(address6.includes(':') && isIpv6(address6)))
    report(`${at}.address6`, `${quote(address6)} is no IPv6 address`)
  if (!isWhole(member.port, 1, 65_535)) report(`${at}.port`, 'must be between 1 and 65535')
  if (!['active', 'draining'].includes(member.state)) report(`${at}.state`, 'must be active or draining')
  checkWeight(member.weight, `${at}.weight`, report)
}

function checkCertificate(certificate: Certificate, at: string, names: Map<string, string>, report: Report): void {
  if (certificate.hosts.length === 0) report(`${at}.hosts`, 'must name at least one host')
  certificate.hosts.forEach((host, index) => {
    const path = `${at}.hosts[${index}]`
    const problem = host === '*' ? 'is no name that a certificate can bear' : hostProblem(host)
    if (problem !== undefined) report(path, `${quote(host)} ${problem}`)
    claim(names, host, path, `a certificate for ${quote(host)}`, report)
  })
  if (!certificate.certificatePem.includes('-----BEGIN CERTIFICATE-----')) {
    report(`${at}.certificatePem`, 'holds no PEM certificate')
  }
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(certificate.keyPem)) report(`${at}.keyPem`, 'holds no PEM private key')
}

function checkName(name: string, at: string, report: Report): void {
  if (typeof name !== 'string' || name.length === 0 || name.length > maxNameLength || hasControlCharacter(name)) {
    report(at, `must have 1 to ${maxNameLength} printable characters`)
  }
}

function checkWeight(weight: number, at: string, report: Report): void {
  if (!isWhole(weight, 0, maxWeight)) report(at, `must be a whole number between 0 and ${maxWeight}`)
}

/** What is wrong with a route's host, in words that follow its name; undefined when nothing is. */
export function hostProblem(host: string): string | undefined {
  if (host === '*') return undefined
  const name = host.startsWith('*.') ? host.slice(2) : host
  if (name.length > 253) return 'is longer than 253 characters'
  if (name !== name.toLowerCase()) return 'must be in lower case'
  const label = name.split('.').find((part) => !/^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/.test(part))
  if (label === undefined) return undefined
  return `must be *, a host name or *.name, and ${quote(label)} is no label of one (international names in their xn-- form)`
}

/** What is wrong with a route's path, in words that follow it; undefined when nothing is. */
export function pathProblem(path: string): string | undefined {
  if (!path.startsWith('/')) return 'must start with /'
  if (path.length > maxPathLength) return `is longer than ${maxPathLength} characters`
  if (path === '/') return undefined
  if (path.endsWith('/'))
    return `must not end with / (${quote(path.replace(/\/+$/, '') || '/')} matches everything below it)`
  if (hasControlCharacter(path)) return 'contains a control character'
  if (/[?#%]/.test(path)) return 'must be a decoded path without ?, # and %'
  if (path.includes('//') || /\/\.{1,2}(\/|$)/.test(path)) return 'must not contain //, /./ or /../'
  return undefined
}

function isWhole(value: number, least: number, most: number): boolean {
  return Number.isSafeInteger(value) && value >= least && value <= most
}

function hasControlCharacter(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code < 0x20 || code === 0x7f) return true
  }
  return false
}

function isAddress(text: string): boolean {
  return isIpv4(text) || isIpv6(text)
}

function isIpv4(text: string): boolean {
  const parts = text.split('.')
  return parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)
}

/** Without zone and without a dotted tail: a gateway never needs either. */
function isIpv6(text: string): boolean {
  const halves = text.split('::')
  if (halves.length > 2) return false
  const groups = halves.flatMap((half) => (half === '' ? [] : half.split(':')))
  if (!groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return false
  return halves.length === 2 ? groups.length <= 7 : groups.length === 8
}

/** Whatever the text holds, the message stays one printable line. */
function quote(text: string): string {
  return JSON.stringify(String(text).slice(0, 300))
}
