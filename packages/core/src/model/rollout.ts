import type { ReplicaCount } from './pool.ts'
import type { RolloutApprovals, RolloutPause, RolloutRequests, RolloutStage } from './rollout-stage.ts'
import type { PoolSizes } from './sizes.ts'

export type RolloutState = 'running' | 'paused' | 'rolling-back' | 'succeeded' | 'rolled-back' | 'failed' | 'aborted'
export type RolloutReason = 'deploy' | 'rollback' | 'restart'

export interface Rollout {
  readonly id: string
  readonly app: string
  readonly pool: string
  readonly reason: RolloutReason
  readonly from?: string
  readonly to: string
  readonly fromGeneration: number
  readonly toGeneration: number
  readonly state: RolloutState
  /** One sentence: what it is doing or why it ended. */
  readonly message: string
  readonly failure?: RolloutFailure
  readonly progress: Readonly<Record<string, RolloutProgress>>
  /** How far the image has come to the nodes that will need it; absent: they had it. */
  readonly images?: RolloutImages
  /** The pool's counts before this rollout: they come back with the release when it does not succeed. */
  readonly replicasBefore: Readonly<Record<string, ReplicaCount>>
  /** The sizes of before, where this rollout changed them. */
  readonly sizesBefore?: PoolSizes
  /** Jobs of `rollout.before` that have ended well. */
  readonly jobsDone: readonly string[]
  /** It was begun to move the pool to another node group: this is the pool's own of before (null: none), to go back to. */
  readonly groupBefore?: string | null
  /** It is paused until these entrypoints' memory has been approved. */
  readonly awaitsApproval?: readonly string[]
  /** How many others than who asked for it have to say yes before it begins, and who has. Absent: nobody has to. */
  readonly approvals?: RolloutApprovals
  /** Why it was begun although deploys were frozen, and by which freezes. */
  readonly frozen?: { readonly freezes: readonly string[]; readonly reason: string }
  /** What it goes through, first to last; the first that has not ended is under way. Absent: it has no stages. */
  readonly stages?: readonly RolloutStage[]
  /** When it stood still and why, oldest first; the newest ones, if there were very many. */
  readonly pauses?: readonly RolloutPause[]
  /** Until its end; absent: nobody counted. */
  readonly requests?: RolloutRequests
  readonly createdAt: number
  readonly updatedAt: number
  readonly endedAt?: number
  readonly createdBy: string
}

export interface RolloutProgress {
  readonly wanted: number
  readonly newReady: number
  readonly newStarting: number
  readonly oldServing: number
  readonly oldDraining: number
}

export interface RolloutImages {
  /** Nodes that will need it, and how many of them have it. */
  readonly wanted: number
  readonly there: number
  /** The first of those that do not have it yet. */
  readonly missing: readonly string[]
  readonly since: number
  /** When a node got it last. */
  readonly changedAt: number
  readonly doneAt?: number
}

/** Of an instance, or of a node before there was one on it. */
export interface RolloutFailure {
  readonly instance?: string
  readonly node?: string
  readonly reason: string
  readonly logTail: readonly string[]
}
