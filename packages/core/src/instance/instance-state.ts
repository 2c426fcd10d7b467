import type { KernelGrant } from '../cores/kernel-grant.ts'
import type { InstanceExit, NetworkAttachment } from '../model/instance.ts'
import type { InstancePhase } from '../model/instance-phase.ts'

/** What the container engine says about an instance's container. Times are milliseconds since the epoch. */
export interface ObservedContainer extends KernelGrant {
  readonly id: string
  /** Incarnation of the instance that it was made for; see `isSameIncarnation`. */
  readonly createdAt?: number
  /** `created` was never started; `exited` covers every way of no longer running. */
  readonly state: 'created' | 'running' | 'exited'
  readonly pid?: number
  /** Also the identity of the current (or last) run: it changes with every start. */
  readonly startedAt?: number
  readonly finishedAt?: number
  readonly exitCode?: number
  readonly outOfMemory?: boolean
  /** Beside its own. Absent: none. */
  readonly networks?: readonly ObservedNetwork[]
}

export interface ObservedNetwork extends NetworkAttachment {
  /** The address that was asked for. */
  readonly asked?: string
}

/** Why the agent itself ends a run. */
export type StopReason = 'tombstone' | 'restart' | 'liveness' | 'hook-failed' | 'job-timeout' | 'disk'

/** Why a run ended: by itself, by the agent, or because the node went down under it. */
export type ExitCause = 'exit' | 'reboot' | 'vanished' | StopReason

export interface StopIntent {
  readonly reason: StopReason
  /** `startedAt` of the run that is to end; a later run is not meant. */
  readonly run: number
  readonly restartNonce: number
  /** One sentence for people, kept until the exit is reported. */
  readonly message?: string
}

/** One run of the container, from a start to its exit. */
export interface InstanceRun {
  readonly containerId: string
  readonly startedAt: number
  readonly afterStartDone: boolean
  /** Set while it is ready, so that an agent that comes back does not take it out of traffic before its first probe. */
  readonly readyAt?: number
  /** When it became ready last, whether it is or not. */
  readonly lastReadyAt?: number
}

/** A step that failed and when it may be tried again. Another kind of step is not held back by it. */
export interface StepRetry {
  readonly step: InstanceStepType
  readonly failures: number
  readonly at: number
}

/**
 * What the agent remembers of an instance besides its assignment, kept on disk. It is never needed to find out what runs (the engine
 * says that), only to know what was meant.
 */
export interface InstanceMemory {
  readonly phase: InstancePhase
  /** The run that was last seen and acknowledged. */
  readonly run?: InstanceRun
  readonly restarts: number
  /** Short runs in a row; drives the back-off. */
  readonly crashes: number
  /** A run that ended is not followed by another before this. */
  readonly startAfter: number
  /** The nonce that the current run satisfies. */
  readonly restartNonce: number
  /** Identity of the node's boot under which the last run was seen. */
  readonly boot?: string
  readonly firstStartedAt?: number
  readonly stopIntent?: StopIntent
  readonly retry?: StepRetry
  /** Networks that the agent has attached it to, or was about to: others are somebody else's doing. */
  readonly attached?: readonly string[]
  readonly imageMissing: boolean
  readonly lastExit?: InstanceExit
  readonly lastCause?: ExitCause
  readonly endedAt?: number
  readonly message?: string
  readonly messageCode?: string
  readonly logTail?: readonly string[]
}

export const newInstanceMemory = (restartNonce: number): InstanceMemory => ({
  phase: 'assigned',
  restarts: 0,
  crashes: 0,
  startAfter: 0,
  restartNonce,
  imageMissing: false,
})

/** The next thing to do for one instance. Every step may be repeated after a crash without harm. */
export type InstanceStep =
  /** Nothing to do before `until` (absent: before something changes). */
  | { readonly type: 'wait'; readonly until?: number }
  | { readonly type: 'fetch-image' }
  | { readonly type: 'create' }
  | { readonly type: 'start' }
  /** Remember the run that the engine shows. */
  | { readonly type: 'adopt-run' }
  /** Remember how a run ended. */
  | { readonly type: 'record-exit'; readonly cause: ExitCause }
  | { readonly type: 'update-grant' }
  /** Be in the networks that are wanted, and in no others that it was in by the agent. */
  | { readonly type: 'attach' }
  | { readonly type: 'run-after-start' }
  | { readonly type: 'stop'; readonly reason: StopReason }
  | { readonly type: 'remove' }
  /** Stop and remove a container that an earlier instance of the same id has left. */
  | { readonly type: 'discard' }
  /** The phase becomes `ended`. */
  | { readonly type: 'finish' }

export type InstanceStepType = InstanceStep['type']

/** What holds for the node as a whole, or is known only in memory. */
export interface InstanceContext {
  readonly now: number
  readonly boot: string
  /** Deletions are withheld: the server's store is not the one that the agent knows. */
  readonly frozen: boolean
  /** The liveness probe of the current run has failed often enough. */
  readonly unhealthy: boolean
  /** What the container should have; also changes with what other instances of the node own. */
  readonly grant: KernelGrant
  /** The current run was seen to use more of the disk than it was granted. */
  readonly overDisk?: boolean
}
