import type { Assignment } from '../model/assignment.ts'
import type { InstanceExit } from '../model/instance.ts'
import { movePhase } from '../model/instance-phase.ts'
import { backoffMs } from './backoff.ts'
import type {
  ExitCause,
  InstanceContext,
  InstanceMemory,
  InstanceStepType,
  ObservedContainer,
  StopReason,
} from './instance-state.ts'

/** A run of at least this length was a good one: the back-off starts again at its first value. */
export const stableRunMs = 60_000

/** Exit code of a container that is gone without having told one. */
export const unknownExitCode = 255

/** Of a process that SIGTERM ended. */
const terminatedExitCode = 143

export interface StepFailure {
  readonly code: string
  readonly message: string
}

const without = <K extends keyof InstanceMemory>(memory: InstanceMemory, ...keys: K[]): Omit<InstanceMemory, K> => {
  const copy = { ...memory }
  for (const key of keys) delete copy[key]
  return copy
}

/** After `adopt-run`: the engine shows a run that was not known. */
export function runAdopted(
  memory: InstanceMemory,
  container: ObservedContainer,
  context: Pick<InstanceContext, 'boot'>,
): InstanceMemory {
  const startedAt = container.startedAt ?? 0
  const again = memory.run !== undefined || memory.lastCause !== undefined
  return {
    ...without(memory, 'stopIntent', 'retry'),
    phase: movePhase('agent', memory.phase, 'running'),
    run: { containerId: container.id, startedAt, afterStartDone: false },
    restarts: again ? memory.restarts + 1 : memory.restarts,
    firstStartedAt: memory.firstStartedAt ?? startedAt,
    boot: context.boot,
    imageMissing: false,
  }
}

export const afterStartDone = (memory: InstanceMemory): InstanceMemory =>
  memory.run === undefined ? memory : { ...memory, run: { ...memory.run, afterStartDone: true } }

/** A run became ready (whatever went wrong before is over), or is not ready any more. */
export function readinessNoted(memory: InstanceMemory, readyAt: number | undefined): InstanceMemory {
  if (memory.run === undefined || memory.run.readyAt === readyAt) return memory
  const { readyAt: _, ...run } = memory.run
  if (readyAt === undefined) return { ...memory, run }
  return { ...without(memory, 'message', 'messageCode', 'logTail'), run: { ...run, readyAt, lastReadyAt: readyAt } }
}

/** Before a run is ended: why, so that its exit is understood even when the agent dies in between. */
export function stopIntended(
  memory: InstanceMemory,
  reason: StopReason,
  assignment: Pick<Assignment, 'restartNonce'>,
  failure?: StepFailure,
): InstanceMemory {
  const intent = {
    reason,
    run: memory.run?.startedAt ?? 0,
    restartNonce: assignment.restartNonce,
    ...(failure === undefined ? {} : { message: failure.message }),
  }
  const phase =
    reason === 'tombstone' && memory.phase !== 'ended' ? movePhase('agent', memory.phase, 'stopping') : memory.phase
  return { ...memory, phase, stopIntent: memory.stopIntent ?? intent }
}

/** After `record-exit`: `container` is absent when it vanished. */
export function exitRecorded(
  memory: InstanceMemory,
  assignment: Pick<Assignment, 'instance' | 'memoryBytes' | 'jobTimeoutMs'>,
  container: ObservedContainer | undefined,
  cause: ExitCause,
  now: number,
  logTail: readonly string[],
): InstanceMemory {
  const exit = exitOf(container, cause, now)
  const ranMs = Math.max(0, exit.at - (container?.startedAt ?? memory.run?.startedAt ?? exit.at))
  const crashed = cause !== 'restart' && cause !== 'reboot'
  const crashes = crashed ? (ranMs >= stableRunMs ? 1 : memory.crashes + 1) : 0
  const intent = memory.stopIntent
  // A run so short that it was never seen running is a run all the same.
  const unseen = memory.run === undefined && memory.lastCause !== undefined
  const firstStartedAt = memory.firstStartedAt ?? container?.startedAt
  return {
    ...without(memory, 'run', 'stopIntent', 'retry', 'message', 'messageCode'),
    ...(firstStartedAt === undefined ? {} : { firstStartedAt }),
    restarts: unseen ? memory.restarts + 1 : memory.restarts,
    crashes,
    startAfter: crashed ? now + backoffMs(crashes) : 0,
    restartNonce: cause === 'restart' ? (intent?.restartNonce ?? memory.restartNonce) : memory.restartNonce,
    lastExit: exit,
    lastCause: cause,
    logTail,
    ...explainExit(assignment, exit, cause, ranMs, intent?.message),
  }
}

/** The agent's own doing because something had failed: whatever the process says at its end, it is no success. */
const forced: ReadonlySet<ExitCause> = new Set(['liveness', 'hook-failed', 'job-timeout', 'disk'])

function exitOf(container: ObservedContainer | undefined, cause: ExitCause, now: number): InstanceExit {
  const said = container?.exitCode ?? unknownExitCode
  const code = said === 0 && forced.has(cause) ? terminatedExitCode : said
  const signal = signalOf(code)
  return {
    code,
    ...(signal === undefined ? {} : { signal }),
    outOfMemory: container?.outOfMemory ?? false,
    at: container === undefined ? now : (container.finishedAt ?? 0),
  }
}

const signals: Readonly<Record<number, string>> = {
  129: 'SIGHUP',
  130: 'SIGINT',
  131: 'SIGQUIT',
  132: 'SIGILL',
  134: 'SIGABRT',
  135: 'SIGBUS',
  136: 'SIGFPE',
  137: 'SIGKILL',
  139: 'SIGSEGV',
  141: 'SIGPIPE',
  143: 'SIGTERM',
}

const signalOf = (code: number): string | undefined => signals[code]

const seconds = (ms: number): string => `${ms < 10_000 ? (ms / 1000).toFixed(1) : Math.round(ms / 1000)} s`

const forcedCodes = { liveness: 'liveness-failed', 'hook-failed': 'hook-failed', disk: 'disk-exceeded' } as const

/** Every exit but an ordinary one has a sentence and a code. */
function explainExit(
  assignment: Pick<Assignment, 'instance' | 'memoryBytes' | 'jobTimeoutMs'>,
  exit: InstanceExit,
  cause: ExitCause,
  ranMs: number,
  intentMessage: string | undefined,
): { message?: string; messageCode?: string } {
  const { instance } = assignment
  if (cause === 'tombstone' || cause === 'restart') return {}
  if (cause === 'reboot') return { messageCode: 'rebooted', message: `${instance} ended when its node went down` }
  if (cause === 'vanished') {
    return { messageCode: 'container-vanished', message: `the container of ${instance} was removed by somebody else` }
  }
  if (cause === 'job-timeout') {
    return {
      messageCode: 'job-timeout',
      message: `${instance} was ended after its time limit of ${seconds(assignment.jobTimeoutMs)}`,
    }
  }
  if (cause !== 'exit') {
    const messageCode = forcedCodes[cause]
    return { messageCode, message: intentMessage ?? `${instance} was ended: ${messageCode}` }
  }
  if (exit.outOfMemory) {
    return {
      messageCode: 'out-of-memory',
      message: `${instance} was killed after ${seconds(ranMs)}: out of memory (limit ${mebibytes(assignment.memoryBytes)} MiB); raise memory in berth.yaml or use less`,
    }
  }
  if (exit.code === 0)
    return { messageCode: 'exited', message: `${instance} exited with code 0 after ${seconds(ranMs)}` }
  const by = exit.signal === undefined ? '' : ` (${exit.signal})`
  return { messageCode: 'exited', message: `${instance} exited with code ${exit.code}${by} after ${seconds(ranMs)}` }
}

const mebibytes = (bytes: number): number => Math.round(bytes / (1024 * 1024))

/** A step succeeded: what it waited for is forgotten. A start also satisfies a restart that was asked for meanwhile. */
export function stepSucceeded(
  memory: InstanceMemory,
  step: InstanceStepType,
  assignment: Pick<Assignment, 'restartNonce'>,
): InstanceMemory {
  const cleared = memory.retry?.step === step ? without(memory, 'retry', 'message', 'messageCode') : memory
  if (step === 'fetch-image') return { ...without(cleared, 'message', 'messageCode'), imageMissing: false }
  const satisfied = step !== 'start' || cleared.restartNonce === assignment.restartNonce
  return satisfied ? cleared : { ...cleared, restartNonce: assignment.restartNonce }
}

/** A step failed: its reason is reported and it is tried again later. A missing image is fetched first. */
export function stepFailed(
  memory: InstanceMemory,
  step: InstanceStepType,
  failure: StepFailure,
  now: number,
): InstanceMemory {
  const { code: messageCode, message } = failure
  if (step === 'create' && messageCode === 'image-missing') {
    return { ...without(memory, 'retry'), imageMissing: true, message, messageCode }
  }
  const failures = memory.retry?.step === step ? memory.retry.failures + 1 : 1
  return { ...memory, retry: { step, failures, at: now + backoffMs(failures) }, message, messageCode }
}

/** The grant is another one: what was refused of the former is over. */
export const grantChanged = (memory: InstanceMemory): InstanceMemory =>
  memory.retry?.step === 'update-grant' ? without(memory, 'retry', 'message', 'messageCode') : memory

/** The wanted networks are others: what was refused of the former is over. */
export const networksChanged = (memory: InstanceMemory): InstanceMemory =>
  memory.retry?.step === 'attach' ? without(memory, 'retry', 'message', 'messageCode') : memory

/** Before networks are attached: what is found in them after a crash was the agent's doing. */
export const attachIntended = (memory: InstanceMemory, names: readonly string[]): InstanceMemory => ({
  ...memory,
  attached: [...new Set([...(memory.attached ?? []), ...names])],
})

/**
 * After `attach`, when it is in the named ones and has left others. What it was in neither before nor after stays remembered: Docker keeps a
 * network that it refused in mind, and wants to put the container into it at its next start.
 */
export function attachDone(memory: InstanceMemory, names: readonly string[], left: readonly string[]): InstanceMemory {
  const open = (memory.attached ?? []).filter((name) => !names.includes(name) && !left.includes(name))
  const attached = [...names, ...open]
  return attached.length === 0 ? without(memory, 'attached') : { ...memory, attached }
}

/** Something that a failed step waited for may be there now. */
export const retryNow = (memory: InstanceMemory): InstanceMemory =>
  memory.retry === undefined ? memory : { ...memory, retry: { ...memory.retry, at: 0 } }

/** The image does not hold the program that was to be started. */
export const isCommandMissing = ({ retry, messageCode }: InstanceMemory): boolean =>
  retry?.step === 'start' && messageCode === 'command-not-found'

/** What a shell says of a program that is not there. */
const commandMissingExitCode = 127

/** After `finish`. */
export function instanceEnded(memory: InstanceMemory, now: number): InstanceMemory {
  const missing = memory.lastExit === undefined && isCommandMissing(memory)
  return {
    ...without(memory, 'run', 'stopIntent', 'retry'),
    // There is no output that could say it.
    ...(missing
      ? {
          lastExit: { code: commandMissingExitCode, outOfMemory: false, at: now },
          logTail: memory.message === undefined ? [] : [memory.message],
        }
      : {}),
    phase: movePhase('agent', memory.phase, 'ended'),
    endedAt: memory.endedAt ?? memory.lastExit?.at ?? now,
  }
}
