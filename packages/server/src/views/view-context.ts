import type { Node } from '@berth/core'
import type { Traffic } from '../controllers/traffic.ts'
import type { State } from '../records/index.ts'

/** Everything that views are made of. */
export interface ViewContext {
  readonly state: State
  readonly traffic: Traffic
  readonly isOnline: (node: string) => boolean
  /** Why its agent, which dials, is not let in by this server. */
  readonly whyRefused?: (node: Node) => string | undefined
  /** What its agent, which the leader does not hear, says to this server. */
  readonly saidByAgent?: (node: string) => readonly string[]
  /** That two machines seem to be this node. */
  readonly twinProblem?: (node: string) => string | undefined
  readonly gateway: GatewayAddress
  /** The server's. */
  readonly version?: string
}

/** How people reach the gateway, for URLs. */
export interface GatewayAddress {
  /** Stands in for the host of routes that take any host (`*`). */
  readonly host: string
  readonly httpPort: number
  readonly httpsPort: number
}

/** Leaves out what is undefined: absent fields are absent on the wire. */
export function defined<T extends object>(fields: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never
}
