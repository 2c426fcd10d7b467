import type { FromAgent, ToAgent } from '@berth/api'

export type SnapshotLine = Extract<ToAgent, { readonly type: 'snapshot' }>
/** What may follow a snapshot. */
export type FeedLine = Exclude<ToAgent, { readonly type: 'snapshot' | 'ping' }>

/**
 * What a node should know; the controllers implement it from the state. A link calls `subscribe` and `snapshot` in one go, without an
 * `await` between, so that no change falls between them. Of several lines about one thing that a slow link has not sent yet
 * (assignment of an instance, names, routes, network) only the last one is sent.
 */
export interface NodeFeed {
  /** With what the agent says it has of its peers: without them, and with the numbers of the parts that have to follow. */
  snapshot(node: string, heldPeers?: string): SnapshotLine
  /** The same line for all. */
  peerPart(part: number): FeedLine
  /** All of a node's network, for an agent that does not accept changes of it. */
  network(node: string): FeedLine
  /** Calls `send` for every change after now; returns how to stop. `send` neither blocks nor throws. */
  subscribe(node: string, send: (line: FeedLine) => void): () => void
}

/** What agents say and whether they are there, for the controllers. Must not throw. */
export interface AgentListener {
  /**
   * Every line as it arrives. Statuses go to the store by themselves: react to them by the state's changes, not here, where they are
   * not in the state yet.
   */
  onReport(node: string, line: FromAgent): void
  /** Online: its agent has said hello. Offline: it has not been heard of for 10 seconds. Only changes are told. */
  onLink(node: string, online: boolean): void
}
