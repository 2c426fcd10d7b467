import type { PortSites } from '../model/port-route-spec.ts'
import type { RouteOptions } from '../model/route-options.ts'
import type { PortProtocol } from './published-port.ts'

/**
 * What a gateway routes by, as data. The server derives it from routes, pools and ready instances; a gateway applies it as it is.
 *
 * Matching, in this order: the exact host, then the longest `*.suffix` (any number of labels before it), then `*`; within a host the
 * longest path. A host whose paths do not match falls through to the next less exact host. Paths match whole segments: `/api`
 * matches `/api` and `/api/v1`, not `/apix`.
 */
export interface RouteTable {
  /** The store revision that the table was derived from; it only grows. */
  readonly version: number
  readonly routes: readonly Route[]
  readonly certificates: readonly Certificate[]
  /** Ports of the gateways. Absent: none. */
  readonly ports?: readonly PortRoute[]
}

/** A port of the gateways, at any of their addresses, whose connections (of UDP: conversations) are given to members as they come. */
export interface PortRoute {
  readonly id: string
  readonly protocol: PortProtocol
  readonly port: number
  readonly targets: readonly RouteTarget[]
  /** True: with no active member connections are refused. Otherwise as of {@link Route}. */
  readonly allowEmpty?: boolean
  /** Blocks of addresses that clients may have. Absent: any. */
  readonly allow?: readonly string[]
  /** A client goes where it went, for so long after its last new connection. Absent: connections go in turn. */
  readonly stickyMs?: number
  /** On the server. */
  readonly sites?: PortSites
}

/**
 * Which listeners serve a route: `off` HTTP only; `on` HTTP and HTTPS; `redirect` HTTPS, while HTTP answers 308 to the same place
 * on HTTPS.
 */
export type RouteTls = 'off' | 'on' | 'redirect'

/** Websockets are always allowed; X-Forwarded-For, -Proto, -Host and X-Real-IP always tell the instance who asked. */
export interface Route {
  readonly id: string
  /** Exact and in lower case (`shop.example.com`), `*.example.com`, or `*`. */
  readonly host: string
  /** A decoded prefix that starts with `/`; it has no trailing slash unless it is `/`. */
  readonly path: string
  /** Traffic is split by the targets' weights; a target without a usable member leaves its share to the others. */
  readonly targets: readonly RouteTarget[]
  readonly tls: RouteTls
  /** How long the gateway waits for the next byte of an answer (also between two frames of a websocket). */
  readonly timeoutMs: number
  /** A larger request body is answered 413 (not looked at for GET and HEAD). Absent or 0: no limit. */
  readonly maxBodyBytes?: number
  /** Removes `path` before the request is passed on: `/api/v1` reaches the instance as `/v1`. */
  readonly stripPath?: boolean
  /**
   * True: with no active member the route answers 503. Otherwise draining members go on serving it, and where there are none either, a
   * gateway keeps those that it knew last: a table without any is far more often a mistake than a wish.
   */
  readonly allowEmpty?: boolean
  /** A route without any costs nothing for those of others. */
  readonly options?: RouteOptions
  /** Every request is answered with this text, and no member is asked: what an authority of certificates looks for. */
  readonly answer?: string
  /** Every request is answered 503 with this page; an empty text is the gateway's own page. */
  readonly maintenance?: { readonly page: string }
  /** What a route that has no member, and may have none (`allowEmpty`), answers with. Absent: a short message. */
  readonly emptyPage?: string
  /** Members of other sites than the gateway's. Absent: `targets` has all. */
  readonly far?: FarTargets
  /** Where requests go that may change something (neither GET, HEAD nor OPTIONS). Absent: where all go. */
  readonly writes?: { readonly targets: readonly RouteTarget[] }
}

/** They also get what no member near can take. */
export interface FarTargets {
  readonly targets: readonly RouteTarget[]
  /** Of 1,000 requests so many go there. */
  readonly share: number
  /** As {@link SitePreference.spillAt}. */
  readonly inflight?: number
}

export interface RouteTarget {
  /** `app/environment/pool`, e.g. `shop/production/web`; `external/NAME` of an external service. */
  readonly pool: string
  /** The external service that it is. */
  readonly external?: string
  /** Relative to the other targets; 0 gets nothing. */
  readonly weight: number
  readonly members: readonly Member[]
  /** On the server: how many instances are to run in each site. */
  readonly wanted?: Readonly<Record<string, number>>
}

/** A draining member gets no new request while any other is active; what it is serving goes on to its end. */
export type MemberState = 'active' | 'draining'

export interface Member {
  readonly instance: string
  /** IPv4 or IPv6, without brackets. */
  readonly address: string
  /** Its twin of IPv6, in routes of ports. Absent: it has none. */
  readonly address6?: string
  readonly port: number
  /** Relative to the other members of its target; 0 gets nothing. */
  readonly weight: number
  readonly state: MemberState
  /** On the server: where its node is. Absent: nowhere in particular. */
  readonly site?: string
}

export interface Certificate {
  /** Exact names or `*.suffix`, which here matches one label, as in TLS. */
  readonly hosts: readonly string[]
  /** Leaf first, then the intermediates. */
  readonly certificatePem: string
  readonly keyPem: string
}

/** A member as the gateway names it in its counters: `10.4.2.7:8080`, `[fd00::7]:8080`. */
export function memberKey(member: Pick<Member, 'address' | 'port'>): string {
  return member.address.includes(':') ? `[${member.address}]:${member.port}` : `${member.address}:${member.port}`
}

/** Of routes and of ports. */
export function* targetsOf(table: Pick<RouteTable, 'routes' | 'ports'>): Generator<RouteTarget> {
  for (const { targets } of table.routes) yield* targets
  for (const { targets } of table.ports ?? []) yield* targets
}
