/**
 * Instances of a node group are being moved to where there is more room. One a group; it stays when it has ended, since it knows of which
 * nodes' coming has been dealt with. Key `/rebalances/<group>`.
 */
export interface Rebalance {
  readonly group: string
  readonly state: 'running' | 'ended'
  /** One sentence: why it was begun, then why it ended. */
  readonly message: string
  /** So many more may be begun, and so many at a time. */
  readonly movesLeft: number
  readonly disruption: number
  readonly done: number
  /** Under way. */
  readonly moves: readonly RebalanceMove[]
  /** Nodes that joined up to then have been dealt with. */
  readonly joinsUntil: number
  readonly startedAt: number
  readonly endedAt?: number
  readonly createdBy: string
}

export interface RebalanceMove {
  readonly instance: string
  readonly from: string
  readonly to: string
  readonly since: number
}
