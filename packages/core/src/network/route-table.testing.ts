import type { Certificate, Member, Route, RouteTable, RouteTarget } from './route-table.ts'

/** Values for tests: what is not given is ordinary. */
export function sampleMember(port: number, given: Partial<Member> = {}): Member {
  return { instance: `web-${port}`, address: '127.0.0.1', port, weight: 1, state: 'active', ...given }
}

export function sampleTarget(members: readonly Member[], given: Partial<RouteTarget> = {}): RouteTarget {
  return { pool: 'shop/production/web', weight: 1, members, ...given }
}

/** `members`: their ports, or the members themselves. */
export function sampleRoute(members: readonly (number | Member)[], given: Partial<Route> = {}): Route {
  const list = members.map((member) => (typeof member === 'number' ? sampleMember(member) : member))
  const place = { host: given.host ?? 'shop.example.com', path: given.path ?? '/' }
  return {
    id: `${place.host}${place.path}`,
    ...place,
    targets: [sampleTarget(list)],
    tls: 'on',
    timeoutMs: 60_000,
    ...given,
  }
}

export function sampleTable(
  version: number,
  routes: readonly Route[],
  certificates: readonly Certificate[] = [],
): RouteTable {
  return { version, routes, certificates }
}
