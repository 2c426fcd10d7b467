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
  /** While no instance serves. Absent: the last ones known go on. */
  readonly whenEmpty?: 'refuse'
  /** Absent: members near are preferred. */
  readonly sites?: PortSites
}

/** Connections cannot be told apart by what they ask, nor tried again elsewhere. */
export type PortSites = Pick<SitePreference, 'prefer' | 'spillBelow'>
