import type { ReceiptView, RolloutView, StageView } from '@berth/api'
import {
  type Rollout,
  type RolloutApprovals,
  type RolloutFailure,
  type RolloutHook,
  type RolloutStage,
  receiptOf,
} from '@berth/core'
import type { State } from '../records/index.ts'
import { defined } from './view-context.ts'

export function rolloutView(rollout: Rollout): RolloutView {
  const { id, app, pool, reason, from, to, state, message, failure, progress, images, stages, approvals } = rollout
  const { requests, createdAt, updatedAt, endedAt, createdBy } = rollout
  return {
    ...defined({ id, app, pool, reason, from, to, state, message, endedAt, requests }),
    ...(failure === undefined ? {} : { failure: failureView(failure) }),
    ...(images === undefined ? {} : { images: { ...images, missing: [...images.missing] } }),
    ...(stages === undefined ? {} : { stages: stages.map(stageView) }),
    ...(approvals === undefined ? {} : { approvals: approvalsView(approvals) }),
    ...{ progress: { ...progress }, createdAt, updatedAt, createdBy },
  }
}

export function receiptView(state: State, rollout: Rollout, now: number): ReceiptView {
  const { failure, stages, pauses, plan, approvals, frozen, ...rest } = receiptOf(
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
    ...(approvals === undefined ? {} : { approvals: approvalsView(approvals) }),
    ...(frozen === undefined ? {} : { frozen: { ...frozen, freezes: [...frozen.freezes] } }),
  }
}

const approvalsView = ({ needed, given, rules }: RolloutApprovals): NonNullable<RolloutView['approvals']> => ({
  needed,
  given: [...given],
  ...(rules === undefined ? {} : { rules: [...rules] }),
})

const failureView = ({ logTail, ...rest }: RolloutFailure): NonNullable<RolloutView['failure']> => ({
  ...rest,
  logTail: [...logTail],
})

const hookView = ({ ordinal: _, ...hook }: RolloutHook): NonNullable<StageView['before']>[number] => hook

function stageView({ name, startedAt, readyAt, endedAt, skippedBy, ...rest }: RolloutStage): StageView {
  const { gates, before, after, served, requests, sites, counts, growth } = rest
  return {
    name,
    ...defined({ startedAt, readyAt, endedAt, skippedBy }),
    ...(sites === undefined ? {} : { sites: [...sites] }),
    ...(counts === undefined ? {} : { counts: { ...counts } }),
    ...(growth === undefined ? {} : { share: growth.share }),
    gates: [...gates],
    ...(before === undefined ? {} : { before: before.map(hookView) }),
    ...(after === undefined ? {} : { after: after.map(hookView) }),
    ...(served === undefined ? {} : { served: { ...served } }),
    ...(requests === undefined ? {} : { requests }),
  }
}
