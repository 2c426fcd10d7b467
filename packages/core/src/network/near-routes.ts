import type { Member, PortRoute, Route, RouteTable, RouteTarget } from './route-table.ts'

/** The table as a gateway of one site has it: what it leads to there comes first. A gateway of no site leads everywhere alike. */
export const nearTable = (table: RouteTable, site: string | undefined): RouteTable => ({
  ...table,
  routes: table.routes.map((route) => nearRouteOnce(route, site)),
  ...(table.ports === undefined ? {} : { ports: table.ports.map((port) => nearPort(port, site)) }),
})

/** Of a route that has not changed the very object of before. */
const made = new WeakMap<Route, Map<string | undefined, Route>>()

function nearRouteOnce(whole: Route, site: string | undefined): Route {
  if (knowsNoSites(whole)) return whole
  const bySite = made.get(whole) ?? new Map<string | undefined, Route>()
  made.set(whole, bySite)
  const route = bySite.get(site) ?? nearRoute(whole, site)
  bySite.set(site, route)
  return route
}

/**
 * As of a route, except that the kernel, which chooses a member, cannot do better by itself than the shares say: members of other sites have
 * theirs among the others, and none where those near are enough.
 */
function nearPort({ sites, ...port }: PortRoute, site: string | undefined): PortRoute {
  const { id, targets } = port
  const options = sites === undefined ? {} : { options: { sites } }
  const near = nearRoute({ id, targets, ...options, ...{ host: '', path: '/', tls: 'off', timeoutMs: 1 } }, site)
  const { far } = near
  if (far === undefined) return { ...port, targets: near.targets }
  // Also those that get nothing: connections that they have are theirs until they end.
  return { ...port, targets: [...shared(near.targets, parts - far.share), ...shared(far.targets, far.share)] }
}

function shared(targets: readonly RouteTarget[], share: number): RouteTarget[] {
  const isUsable = ({ members }: RouteTarget): boolean => members.some(({ state }) => state === 'active')
  const total = sum(targets.map((each) => (isUsable(each) ? each.weight : 0)))
  return targets.map((each) => ({ ...each, weight: total === 0 ? 0 : Math.round((each.weight / total) * share) }))
}

/** Part of the requests that members of the own site keep at least while so many of them are ready, if its owner says nothing. */
const defaultSpillBelow = 0.7
const parts = 1000

function nearRoute(whole: Route, site: string | undefined): Route {
  const { sites = {}, ...others } = whole.options ?? {}
  const { options: _, ...bare } = whole
  const route = Object.keys(others).length === 0 ? bare : { ...bare, options: others }
  const home = sites.writes
  const writes =
    home === undefined || home === site ? undefined : { targets: route.targets.map((each) => only(each, home)) }
  const plain = { ...route, targets: route.targets.map(withoutSites), ...(writes === undefined ? {} : { writes }) }
  if (site === undefined || sites.prefer === 'any' || !isSpread(route, site)) return plain
  const shares = nearShares(route.targets, site, sites.spillBelow ?? defaultSpillBelow)
  const total = sum(route.targets.map(({ weight }) => weight))
  const farWeight = sum(route.targets.map(({ weight }, index) => weight * (1 - (shares[index] ?? 1))))
  const share = total === 0 ? 0 : Math.round((farWeight / total) * parts)
  const near = weighted(route.targets, shares).map((each) => only(each, site))
  if (share === parts) return plain
  // Where nobody is to go far, they are still whom a request goes to that nobody near could answer.
  const away = shares.map((each) => (share === 0 ? 1 : 1 - each))
  const far = weighted(route.targets, away).map((each) => except(each, site))
  return {
    ...plain,
    targets: near,
    far: { targets: far, share, ...(sites.spillAt === undefined ? {} : { inflight: sites.spillAt }) },
  }
}

/** Most clusters have none: their tables are made for every change of a member, and go as they are. */
const knowsNoSites = ({ options, targets }: Route): boolean =>
  options?.sites === undefined &&
  targets.every(({ wanted, members }) => wanted === undefined && members.every(({ site }) => site === undefined))

/** Members of both: of this site, and of another. */
function isSpread({ targets }: Pick<Route, 'targets'>, site: string): boolean {
  const members = targets.flatMap((target) => target.members)
  return members.some((each) => each.site === site) && members.some((each) => each.site !== site)
}

/** A target without an active member leaves its requests to the others, so it goes as they do together. */
function nearShares(targets: readonly RouteTarget[], site: string, spillBelow: number): number[] {
  const isUsable = ({ members }: RouteTarget): boolean => members.some(({ state }) => state === 'active')
  const usable = targets.filter(isUsable).map((each) => [each.weight, nearShare(each, site, spillBelow)] as const)
  const total = sum(usable.map(([weight]) => weight))
  const together = total === 0 ? 1 : sum(usable.map(([weight, share]) => weight * share)) / total
  return targets.map((each) => (isUsable(each) ? nearShare(each, site, spillBelow) : together))
}

/**
 * How much of a target's requests its members here keep: all, as long as so large a part of those that are wanted here is ready; less
 * in proportion below that. (Priority levels of Envoy go by the same rule, with 1.4 for what is 1 / 0.7 here.)
 */
function nearShare({ members, wanted = {} }: RouteTarget, site: string, spillBelow: number): number {
  const here = members.filter((each) => each.state === 'active' && each.site === site)
  const elsewhere = members.some((each) => each.state === 'active' && each.site !== site)
  if (!elsewhere) return 1
  const ready = here.length / Math.max(wanted[site] ?? 0, here.length, 1)
  return Math.min(1, ready / spillBelow)
}

/** Targets' weights times these parts, in whole numbers without a common divisor. */
function weighted(targets: readonly RouteTarget[], shares: readonly number[]): RouteTarget[] {
  const weights = targets.map(({ weight }, index) => Math.round(weight * (shares[index] ?? 0) * parts))
  const divisor = weights.reduce(commonDivisor, 0) || 1
  const scale = Math.min(1, (parts * divisor) / Math.max(...weights, 1))
  return targets.map((target, index) => {
    const weight = (weights[index] ?? 0) / divisor
    return { ...target, weight: weight === 0 ? 0 : Math.max(1, Math.round(weight * scale)) }
  })
}

const commonDivisor = (a: number, b: number): number => (b === 0 ? a : commonDivisor(b, a % b))
const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0)

const only = (target: RouteTarget, site: string): RouteTarget => withMembers(target, (each) => each.site === site)
const except = (target: RouteTarget, site: string): RouteTarget => withMembers(target, (each) => each.site !== site)
const withoutSites = (target: RouteTarget): RouteTarget => withMembers(target, () => true)

/** Gateways do not need to know where members are. */
function withMembers({ wanted: _, ...target }: RouteTarget, isIn: (member: Member) => boolean): RouteTarget {
  return { ...target, members: target.members.filter(isIn).map(({ site: _site, ...member }) => member) }
}
