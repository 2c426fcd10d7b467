import type { ApprovalRule } from './approval-rule.ts'
import type { GateSpec, StageHookSpec } from './stage-spec.ts'

/** A stage of a rollout's own spec, and how it went: part of the rollout's record, and of its receipt. */
export interface RolloutStage {
  readonly name: string
  /** Where its instances are. Absent: anywhere. */
  readonly sites?: readonly string[]
  /** Of a stage about sites, by entrypoint: how many are new at its end. Found out when it opens, so that it does not change while instances move. */
  readonly counts?: Readonly<Record<string, number>>
  readonly startedAt?: number
  /** Since when as many as it is about have served, for the first time: gates look at what came after. */
  readonly readyAt?: number
  readonly endedAt?: number
  /** Who had it end whatever its gates said. */
  readonly skippedBy?: string
  /** How far its share of the requests has grown, where it grows. */
  readonly growth?: TrafficGrowth
  /** As many as its spec has, in the same order. */
  readonly gates: readonly RolloutGate[]
  /** As many as its spec has, in the same order; so are those after it. Absent: none. */
  readonly before?: readonly RolloutHook[]
  readonly after?: readonly RolloutHook[]
  /** New instances that served at its end, by entrypoint. */
  readonly served?: Readonly<Record<string, number>>
  /** From the rollout's begin to the stage's end; absent: nobody counted. */
  readonly requests?: RolloutRequests
}

/** What became of requests while it was under way. Undefined times: nothing was timed. */
export interface RolloutRequests {
  /** Of the whole pool. */
  readonly requests: number
  readonly errors: number
  /** Got no answer of an instance. */
  readonly lost: number
  /** Of the ten minutes before it began. */
  readonly before: RequestTimes
  /** Of the new release. */
  readonly after: RequestTimes
}

export interface RequestTimes {
  readonly requests: number
  readonly p50Ms?: number
  readonly p99Ms?: number
}

/** `no-data`: its source says nothing; it holds until that changes. */
export type GateVerdict = 'waiting' | 'no-data' | 'passed' | 'failed'

export interface RolloutGate {
  readonly type: GateSpec['type']
  readonly verdict: GateVerdict
  /** What it says of itself: `health for 2m`, `passed by token:ann`. */
  readonly message: string
  /** Of the verdict. */
  readonly at?: number
  /** Who let it pass. */
  readonly by?: string
}

/** Of the requests, thousandths that go to the new release, after so many steps, the last of them then. */
export interface TrafficGrowth {
  readonly share: number
  readonly steps: number
  readonly at: number
}

export interface RolloutHook {
  readonly type: StageHookSpec['type']
  readonly state: 'waiting' | 'running' | 'done' | 'failed'
  /** What it says of itself: `job notify`, `https://ci.example/hook: it answered with 500`. */
  readonly message: string
  readonly startedAt?: number
  readonly endedAt?: number
  /** Of a job: its run is the first one of at least this ordinal. */
  readonly ordinal?: number
  /** Who let the stage go on although it failed. */
  readonly by?: string
  /** What it printed or answered last, as much of it as is kept. */
  readonly output?: string
}

export interface RolloutApprovals {
  readonly needed: number
  /** `admin`: who said yes was one then. */
  readonly given: readonly { readonly by: string; readonly at: number; readonly admin?: true }[]
  /** Those that an admin's rules ask for, as they were when it was begun. Absent: none. */
  readonly rules?: readonly Pick<ApprovalRule, 'name' | 'needed' | 'role'>[]
}

/** Somebody or something had the rollout wait. */
export interface RolloutPause {
  readonly since: number
  readonly until?: number
  readonly reason: string
}
