/** Deploys need so many yeses whatever their `berth.yaml` says: of the cluster, an app, an environment's pools or one pool. */
export interface ApprovalRule {
  readonly name: string
  /** Absent: of all apps. */
  readonly app?: string
  /** Absent: of all pools. */
  readonly pool?: string
  readonly needed: number
  /** Whose yes counts: of `deployer` anybody's who may deploy. */
  readonly role: 'deployer' | 'admin'
  readonly createdAt: number
  readonly createdBy: string
}
