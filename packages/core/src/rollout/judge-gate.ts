import type { GateSpec, RolloutGate } from '../model/index.ts'
import { formatDuration } from '../spec/quantities.ts'

/** What a gate may go by. */
export interface GateView {
  /** All instances of the stage serve, and nothing is on its way. */
  readonly complete: boolean
  /** Since when the stage's instances have served, for the first time; undefined: they have not yet. */
  readonly readyAt: number | undefined
  /** Since when the last of them has served without a break. */
  readonly servingSince: number
}

export interface GateJudgement {
  readonly gate: RolloutGate
  /** When it will be another even if nothing happens. */
  readonly nextAt?: number
}

/** `health for 2m`, as it stands in messages and receipts. */
export function gateText(spec: GateSpec): string {
  switch (spec.type) {
    case 'health':
      return `health for ${formatDuration(spec.forMs)}`
    case 'person':
      return 'a person'
  }
}

export const newGate = (spec: GateSpec): RolloutGate => ({
  type: spec.type,
  verdict: 'waiting',
  message: gateText(spec),
})

/** What a gate says now. One that has passed does so for good, as long as nothing speaks against it. */
export function judgeGate(spec: GateSpec, before: RolloutGate, view: GateView, now: number): GateJudgement {
  if (view.readyAt === undefined) return { gate: before }
  switch (spec.type) {
    case 'person':
      return { gate: before }
    case 'health': {
      if (before.verdict === 'passed' || !view.complete) return { gate: before }
      const passesAt = Math.max(view.readyAt, view.servingSince) + spec.forMs
      if (now < passesAt) return { gate: before, nextAt: passesAt }
      return { gate: { ...before, verdict: 'passed', at: now } }
    }
  }
}
