import type { PortProtocol } from '../network/published-port.ts'
import type { SitePreference } from './route-options.ts'

/** A port of the gateways at which connections (of UDP: conversations) are passed on to an entrypoint's instances, whatever they speak. */
export interface PortRouteSpec {
  readonly protocol: PortProtocol
  /** The gateways' port. */
  readonly listen: number
  readonly entrypoint: string
  /** Port name of the entrypoint. */
  readonly port: string
  /** Blocks of addresses, of both versions, that clients may have. Absent: any. */
  readonly allow?: readonly string[]
  /** A client's address keeps its instance while that is in traffic, for so long after its last new connection. Absent: connections go in turn. */
  readonly stickyMs?: number
  /** While no instance serves. Absent: the last ones known go on. */
  readonly whenEmpty?: 'refuse'
  /** Absent: members near are preferred. */
  readonly sites?: PortSites
}

/** What `sticky: true` is, and what may be said, in milliseconds. */
export const stickyBounds = { usual: 3_600_000, least: 1_000, most: 30 * 86_400_000 }

/** Connections cannot be told apart by what they ask, nor tried again elsewhere. */
export type PortSites = Pick<SitePreference, 'prefer' | 'spillBelow'>
