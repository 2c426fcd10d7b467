import type { GateSpec, RolloutGate } from '../model/index.ts'
import type { GateSample } from './gate-sample.ts'
import { gateText } from './gate-text.ts'
import { judgeMeasured, type MeasuredSpec } from './judge-measured.ts'

/** What a gate may go by. */
export interface GateView {
  /** All instances of the stage serve, and nothing is on its way. */
  readonly complete: boolean
  /** Since when the stage's instances have served, for the first time; undefined: they have not yet. */
  readonly readyAt: number | undefined
  /** Since when the last of them has served without a break. */
  readonly servingSince: number
  /** What its source says; absent: nothing yet. */
  readonly sample?: GateSample | undefined
}

export interface GateJudgement {
  readonly gate: RolloutGate
  /** When it will be another even if nothing happens. */
  readonly nextAt?: number
}

export const newGate = (spec: GateSpec): RolloutGate => ({
  type: spec.type,
  verdict: 'waiting',
  message: gateText(spec),
})

/** What a gate says now. One that has passed does so for good, as long as nothing speaks against it. */
export function judgeGate(spec: GateSpec, before: RolloutGate, view: GateView, now: number): GateJudgement {
  const { readyAt } = view
  if (readyAt === undefined) return { gate: before }
  switch (spec.type) {
    case 'person':
    case 'job':
      return { gate: before }
    case 'health': {
      if (before.verdict === 'passed' || !view.complete) return { gate: before }
      const passesAt = Math.max(readyAt, view.servingSince) + spec.forMs
      if (now < passesAt) return { gate: before, nextAt: passesAt }
      return { gate: { ...before, verdict: 'passed', at: now } }
    }
    default:
      return measured(spec, before, { ...view, readyAt }, now)
  }
}

function measured(
  spec: MeasuredSpec,
  before: RolloutGate,
  { sample, readyAt, complete }: GateView & { readonly readyAt: number },
  now: number,
): GateJudgement {
  const { verdict, message = gateText(spec), nextAt } = judgeMeasured(spec, sample, readyAt, now)
  const later = nextAt === undefined ? {} : { nextAt }
  const stays = verdict !== 'failed' && (before.verdict === 'passed' || (verdict === 'passed' && !complete))
  if (stays || before.verdict === verdict) return { gate: before, ...later }
  return { gate: { ...before, verdict, message, at: now }, ...later }
}
