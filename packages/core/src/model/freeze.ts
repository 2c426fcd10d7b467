/** A time in which nothing new is deployed, of the cluster, of an app or of one pool. */
export interface Freeze {
  readonly name: string
  /** Absent: of all apps. */
  readonly app?: string
  /** Absent: of all pools. */
  readonly pool?: string
  /** Once, from one time until another; or again and again. */
  readonly when: FreezeOnce | FreezeAgain
  readonly reason: string
  readonly createdAt: number
  readonly createdBy: string
}

export interface FreezeOnce {
  readonly type: 'once'
  readonly from: number
  readonly until: number
}

/** Begins when the expression is due by the clocks of its zone. */
export interface FreezeAgain {
  readonly type: 'again'
  readonly cron: string
  readonly zone: string
  readonly forMs: number
}
