import type { NetworkDriver } from './routed-address.ts'

/** A container in a node's network, by Docker's word. */
export interface ContainerAddress {
  readonly id: string
  readonly name: string
  /** Absent: somebody started it by hand. */
  readonly instance?: string
  readonly isRunning: boolean
  /** Absent: it has none, since it does not run. */
  readonly address?: string
  readonly createdAt: number
}

/** Held for a container that there is not. */
export interface LeftOver {
  /**
   * `endpoint`: Docker counts it in its network. `link`: the host's end of a routed container's link, or netd's record of it. `veth`: one on
   * the node's bridge, both ends of which are on the host.
   */
  readonly kind: 'endpoint' | 'link' | 'veth'
  /** What Docker, netd or the kernel calls it. */
  readonly name: string
  /** Absent: it has none of its own. */
  readonly address?: string
}

/** What a node really has of its addresses. */
export interface AddressReport {
  readonly driver: NetworkDriver
  /** Why nothing is said of containers. */
  readonly engineProblem?: string
  readonly containers: readonly ContainerAddress[]
  readonly left: readonly LeftOver[]
  /** Addresses of containers that run, to which the node has no link: nothing reaches them. */
  readonly unlinked: readonly string[]
}

/** What became of what is left over. */
export interface AddressRelease {
  readonly released: readonly LeftOver[]
  /** Not seen for long enough to be sure, or netd's to take away. */
  readonly later: readonly LeftOver[]
}
