import type {
  Release,
  Rollout,
  RolloutApprovals,
  RolloutFailure,
  RolloutPause,
  RolloutRequests,
  RolloutStage,
  RolloutState,
} from '../model/index.ts'

/** What a rollout was, for those who ask later. Times are milliseconds since the epoch, durations milliseconds. */
export interface Receipt {
  readonly rollout: string
  readonly app: string
  readonly pool: string
  readonly reason: Rollout['reason']
  readonly from?: string
  readonly to: string
  readonly commit?: string
  readonly subject?: string
  readonly image?: string
  readonly by: string
  readonly state: RolloutState
  readonly message: string
  readonly failure?: RolloutFailure
  readonly createdAt: number
  readonly endedAt?: number
  readonly tookMs: number
  /** Of each service: how many there were before, and are to be. */
  readonly plan: Readonly<Record<string, ReceiptPlan>>
  readonly stages: readonly ReceiptStage[]
  /** When it stood still, and why. */
  readonly pauses: readonly RolloutPause[]
  /** Absent: nobody counted, or it has not ended. */
  readonly requests?: RolloutRequests
  readonly approvals?: RolloutApprovals
  readonly frozen?: NonNullable<Rollout['frozen']>
}

export interface ReceiptPlan {
  readonly before: number
  readonly after: number
}

export interface ReceiptStage extends RolloutStage {
  /** Absent: it has not begun. */
  readonly tookMs?: number
}

/** A rollout without stages is one stage about everything. */
export function receiptOf(rollout: Rollout, release: Release | undefined, now: number): Receipt {
  const { id, app, pool, reason, from, to, state, message, failure, createdAt, endedAt, createdBy } = rollout
  return {
    ...{ rollout: id, app, pool, reason },
    ...(from === undefined ? {} : { from }),
    to,
    ...(release === undefined ? {} : { image: release.image }),
    ...(release?.commit === undefined ? {} : { commit: release.commit }),
    ...(release?.subject === undefined ? {} : { subject: release.subject }),
    ...{ by: createdBy, state, message },
    ...(failure === undefined ? {} : { failure }),
    createdAt,
    ...(endedAt === undefined ? {} : { endedAt }),
    tookMs: (endedAt ?? now) - createdAt,
    plan: planOf(rollout),
    stages: (rollout.stages ?? [wholeOf(rollout)]).map((stage) => withTime(stage, endedAt ?? now)),
    pauses: rollout.pauses ?? [],
    ...(rollout.approvals === undefined ? {} : { approvals: rollout.approvals }),
    ...(rollout.frozen === undefined ? {} : { frozen: rollout.frozen }),
    ...(rollout.requests === undefined ? {} : { requests: rollout.requests }),
  }
}

function planOf({ progress, replicasBefore }: Rollout): Record<string, ReceiptPlan> {
  const names = [...new Set([...Object.keys(replicasBefore), ...Object.keys(progress)])].sort()
  return Object.fromEntries(
    names.map((name) => [
      name,
      { before: replicasBefore[name]?.count ?? 0, after: progress[name]?.wanted ?? replicasBefore[name]?.count ?? 0 },
    ]),
  )
}

function wholeOf({ createdAt, endedAt, progress }: Rollout): RolloutStage {
  const served = Object.fromEntries(Object.entries(progress).map(([name, { newReady }]) => [name, newReady]))
  return { name: 'all', startedAt: createdAt, ...(endedAt === undefined ? {} : { endedAt }), gates: [], served }
}

const withTime = (stage: RolloutStage, until: number): ReceiptStage =>
  stage.startedAt === undefined ? stage : { ...stage, tookMs: (stage.endedAt ?? until) - stage.startedAt }
