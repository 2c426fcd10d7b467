import type { PortSpec, RouteSpec } from './app-spec.ts'

/** What Berth does not run but names, routes and guards: a database on a bare machine, a cloud load balancer. */
export interface ExternalService {
  /**
   * What it is called below the domain: `mysql` (the cluster's), `mysql.shop` (the app's), `mysql.staging.shop` (for one pool of the app,
   * where it stands for `mysql.shop`).
   */
  readonly name: string
  /** Those of IPv6 in their one form. Empty exactly where there is a target. */
  readonly addresses: readonly string[]
  /** A host name of somebody else's, which is looked up by whoever asks. */
  readonly target?: string
  readonly ports: readonly ExternalPort[]
  /** By which rules of security profiles know its addresses. */
  readonly tags: readonly string[]
  /** Where it stands, for people. */
  readonly site?: string
  /** Of the gateway. */
  readonly routes: readonly ExternalRoute[]
}

export type ExternalPort = Omit<PortSpec, 'hostPort'>

export type ExternalRoute = Omit<RouteSpec, 'entrypoint'>
