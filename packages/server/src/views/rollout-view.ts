import type { ReceiptView, RolloutView, StageView } from '@berth/api'
import { type Rollout, type RolloutFailure, type RolloutStage, receiptOf } from '@berth/core'
import type { State } from '../records/index.ts'
import { defined } from './view-context.ts'

export function rolloutView(rollout: Rollout): RolloutView {
  const { id, app, pool, reason, from, to, state, message, failure, progress, images, stages } = rollout
  const { createdAt, updatedAt, endedAt, createdBy } = rollout
  return {
    ...defined({ id, app, pool, reason, from, to, state, message, endedAt }),
    ...(failure === undefined ? {} : { failure: failureView(failure) }),
    ...(images === undefined ? {} : { images: { ...images, missing: [...images.missing] } }),
    ...(stages === undefined ? {} : { stages: stages.map(stageView) }),
    ...{ progress: { ...progress }, createdAt, updatedAt, createdBy },
  }
}

export function receiptView(state: State, rollout: Rollout, now: number): ReceiptView {
  const { failure, stages, pauses, plan, ...rest } = receiptOf(
    rollout,
    state.releases.find(rollout.app, rollout.to),
    now,
  )
  return {
    ...rest,
    ...(failure === undefined ? {} : { failure: failureView(failure) }),
    plan: { ...plan },
    stages: stages.map((stage) => ({ ...stageView(stage), ...defined({ tookMs: stage.tookMs }) })),
    pauses: [...pauses],
  }
}

const failureView = ({ logTail, ...rest }: RolloutFailure): NonNullable<RolloutView['failure']> => ({
  ...rest,
  logTail: [...logTail],
})

function stageView({ name, startedAt, readyAt, endedAt, skippedBy, gates, served }: RolloutStage): StageView {
  return {
    name,
    ...defined({ startedAt, readyAt, endedAt, skippedBy }),
    gates: [...gates],
    ...(served === undefined ? {} : { served: { ...served } }),
  }
}
