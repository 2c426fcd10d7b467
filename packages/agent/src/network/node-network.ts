import type { NetworkConfig } from '@berth/core'

export const networkName = 'berth'

export interface EnsureOptions {
  readonly signal?: AbortSignal
  /**
   * Removes our routes to blocks that the configuration does not name. To be set only when the server is known to speak of the whole
   * cluster (same epoch, no older revision): by default a route stays, since absence never kills.
   */
  readonly removeAbsentPeers?: boolean
}

/**
 * The node's part of the cluster's network: the Docker network whose bridge holds the node's block, forwarding, rules, routes to the
 * peers' blocks and the address that DNS is served at. Closing it ends the periodic check and leaves the network as it is: containers
 * need it while the agent is away.
 */
export interface NodeNetwork extends AsyncDisposable {
  /** To be given to Docker as the container's network. */
  readonly networkName: typeof networkName
  /**
   * Makes the node match `config` and keeps it so: from then on it is checked and repaired periodically. Needs dockerd. Throws
   * `network.subnet-differs`, `network.block-overlap`, `network.engine-unreachable`, `network.command-failed`; a failed call leaves
   * the former configuration in charge. A peer that cannot be routed is a problem, no error.
   */
  ensure(config: NetworkConfig, options?: EnsureOptions): Promise<void>
  /** Compares the node with the last configuration, repairs what differs, and tells in a sentence each what it could not repair. */
  check(options?: { readonly signal?: AbortSignal }): Promise<readonly string[]>
}
