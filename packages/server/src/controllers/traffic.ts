import type { MemberState, PortProtocol, RouteTls } from '@berth/core'

/** What the route controller knows beyond the store: the routes as gateways get them, and what gateways reported about them. */
export interface Traffic {
  /** Some online gateway sends requests to this instance now. */
  isInTraffic(instance: string): boolean
  /** Gateways that may still send requests to an instance that is to leave, since they have not said that they let it go. */
  gatewaysBehind(instance: string): readonly string[]
  routes(): readonly TrafficRoute[]
  portRoutes(): readonly TrafficPortRoute[]
  /** Calls with the instances whose place in traffic has changed (or all that a changed route has). Returns how to stop. */
  subscribe(listener: (instances: readonly string[]) => void): () => void
}

export interface TrafficRoute {
  readonly id: string
  readonly host: string
  readonly path: string
  readonly tls: RouteTls
  readonly app: string
  readonly pool: string
  readonly entrypoint: string
  /** The external service to which it leads; app, pool and entrypoint are empty then. */
  readonly external?: string
  /** Its requests are answered with the maintenance page. */
  readonly maintenance?: true
  readonly members: readonly TrafficMember[]
}

export interface TrafficMember {
  readonly instance: string
  readonly address: string
  readonly port: number
  readonly state: MemberState
}

/** A port of the gateways. */
export interface TrafficPortRoute {
  readonly id: string
  readonly protocol: PortProtocol
  readonly port: number
  readonly app: string
  readonly pool: string
  readonly entrypoint: string
  /** Whose connections are taken; empty: everybody's. */
  readonly allow: readonly string[]
  readonly members: readonly TrafficMember[]
}
