import { isGranted } from '../cores/kernel-grant.ts'
import type { Assignment } from '../model/assignment.ts'
import { isSameIncarnation } from '../model/incarnation.ts'
import { restartBackoff } from './backoff.ts'
import { isCommandMissing } from './instance-memory.ts'
import type { ExitCause, InstanceContext, InstanceMemory, InstanceStep, ObservedContainer } from './instance-state.ts'
import { attachmentsOf, isAttached } from './network-changes.ts'

/** The parts of an assignment that decide what happens; everything else only shapes the container. */
export type DecidedAssignment = Pick<
  Assignment,
  'createdAt' | 'type' | 'desired' | 'restartNonce' | 'restart' | 'jobTimeoutMs' | 'afterStart' | 'network' | 'networks'
>

/**
 * The next step of one instance, from what is wanted, what the engine shows and what the agent remembers. First match wins.
 *
 * Invariants (held by property tests):
 * - without a tombstone (`desired: stop`) nothing of the instance is ever removed, and a run is ended only for a restart that was asked for, a failed
 *   liveness probe, a failed hook, a job's time limit or a grant of disk that was exceeded;
 * - after the steps were carried out the answer is `wait`;
 * - a phase never moves back.
 */
export function decideInstance(
  assignment: DecidedAssignment,
  container: ObservedContainer | undefined,
  memory: InstanceMemory,
  context: InstanceContext,
): InstanceStep {
  const step = nextStep(assignment, container, memory, context)
  return heldBack(step.type === 'start' ? beforeStart(assignment, container, memory) : step, memory, context)
}

/** It has its networks from its first instruction on. */
const beforeStart = (
  assignment: DecidedAssignment,
  container: ObservedContainer | undefined,
  memory: InstanceMemory,
): InstanceStep =>
  container === undefined || isAttached(attachmentsOf(assignment), container, memory)
    ? { type: 'start' }
    : { type: 'attach' }

function nextStep(
  assignment: DecidedAssignment,
  container: ObservedContainer | undefined,
  memory: InstanceMemory,
  context: InstanceContext,
): InstanceStep {
  if (container !== undefined && !isSameIncarnation(container, assignment)) {
    // Its id was given away, which is as good as a tombstone. Nothing is begun before its name is free.
    return context.frozen ? { type: 'wait' } : { type: 'discard' }
  }
  if (tombstoned(assignment, memory, context)) return tearDown(container, memory)
  if (memory.phase === 'ended') return { type: 'wait' }
  if (container === undefined) return withoutContainer(assignment, memory, context)
  if (container.state === 'running') return whileRunning(assignment, container, memory, context)
  if (container.state === 'created') return cannotRun(assignment, memory) ? { type: 'finish' } : { type: 'start' }
  if (!isExitRecorded(container, memory)) return { type: 'record-exit', cause: exitCause(memory, context) }
  return afterExit(assignment, memory, context)
}

/** A stop that has begun goes on even when deletions were frozen since. */
function tombstoned(assignment: DecidedAssignment, memory: InstanceMemory, context: InstanceContext): boolean {
  return memory.phase === 'stopping' || (assignment.desired === 'stop' && !context.frozen)
}

function tearDown(container: ObservedContainer | undefined, memory: InstanceMemory): InstanceStep {
  if (container?.state === 'running') return { type: 'stop', reason: 'tombstone' }
  if (container !== undefined) return { type: 'remove' }
  return memory.phase === 'ended' ? { type: 'wait' } : { type: 'finish' }
}

function withoutContainer(
  assignment: DecidedAssignment,
  memory: InstanceMemory,
  context: InstanceContext,
): InstanceStep {
  if (memory.run !== undefined) {
    return { type: 'record-exit', cause: rebooted(memory, context) ? 'reboot' : 'vanished' }
  }
  if (memory.lastCause !== undefined) {
    const next = afterExit(assignment, memory, context)
    if (next.type !== 'start') return next
  }
  return { type: memory.imageMissing ? 'fetch-image' : 'create' }
}

function whileRunning(
  assignment: DecidedAssignment,
  container: ObservedContainer,
  memory: InstanceMemory,
  context: InstanceContext,
): InstanceStep {
  const run = memory.run
  if (run === undefined || run.startedAt !== container.startedAt || run.containerId !== container.id) {
    return { type: 'adopt-run' }
  }
  if (memory.stopIntent !== undefined) return { type: 'stop', reason: memory.stopIntent.reason }
  if (assignment.restartNonce > memory.restartNonce) return { type: 'stop', reason: 'restart' }
  const deadline = jobDeadline(assignment, memory)
  if (deadline !== undefined && context.now >= deadline) return { type: 'stop', reason: 'job-timeout' }
  if (context.overDisk === true) return { type: 'stop', reason: 'disk' }
  if (context.unhealthy) return { type: 'stop', reason: 'liveness' }
  const settled = (): InstanceStep => afterGrant(assignment, memory, deadline)
  if (!isGranted(container, context.grant)) return heldBack({ type: 'update-grant' }, memory, context, settled)
  // One retry is remembered: two steps that fail in turn would know no pause.
  if (!isAttached(attachmentsOf(assignment), container, memory))
    return heldBack({ type: 'attach' }, memory, context, settled)
  return settled()
}

function afterGrant(assignment: DecidedAssignment, memory: InstanceMemory, deadline: number | undefined): InstanceStep {
  if (assignment.afterStart !== undefined && memory.run?.afterStartDone === false) return { type: 'run-after-start' }
  return deadline === undefined ? { type: 'wait' } : { type: 'wait', until: deadline }
}

function afterExit(assignment: DecidedAssignment, memory: InstanceMemory, context: InstanceContext): InstanceStep {
  if (!restartsAfter(assignment, memory)) return { type: 'finish' }
  const deadline = jobDeadline(assignment, memory)
  if (deadline !== undefined && context.now >= deadline) return { type: 'finish' }
  const askedFor = assignment.restartNonce > memory.restartNonce
  if (!askedFor && !rebooted(memory, context) && isAhead(memory.startAfter, context.now)) {
    return { type: 'wait', until: Math.min(memory.startAfter, deadline ?? memory.startAfter) }
  }
  return { type: 'start' }
}

/** A job runs once; a program that its image does not hold will not be there the next time either, and somebody waits for the job's end. */
const cannotRun = (assignment: DecidedAssignment, memory: InstanceMemory): boolean =>
  assignment.type === 'job' && assignment.restart === 'never' && isCommandMissing(memory)

/** Whether the policy wants another run after the one whose end was recorded. */
export function restartsAfter(
  assignment: Pick<DecidedAssignment, 'type' | 'restart' | 'restartNonce'>,
  memory: Pick<InstanceMemory, 'lastCause' | 'lastExit' | 'restartNonce'>,
): boolean {
  const { lastCause: cause, lastExit } = memory
  if (cause === 'restart' || assignment.restartNonce > memory.restartNonce) return true
  if (cause === 'job-timeout' || assignment.restart === 'never') return false
  if (assignment.restart === 'always' && assignment.type === 'service') return true
  if (assignment.type === 'job' && assignment.restart !== 'on-failure') return false
  return cause !== 'exit' || lastExit === undefined || lastExit.code !== 0 || lastExit.outOfMemory
}

function jobDeadline(assignment: DecidedAssignment, memory: InstanceMemory): number | undefined {
  if (assignment.type !== 'job' || assignment.jobTimeoutMs <= 0) return undefined
  return memory.firstStartedAt === undefined ? undefined : memory.firstStartedAt + assignment.jobTimeoutMs
}

const isExitRecorded = (container: ObservedContainer, memory: InstanceMemory): boolean =>
  memory.run === undefined && memory.lastExit !== undefined && memory.lastExit.at === (container.finishedAt ?? 0)

const rebooted = (memory: InstanceMemory, context: InstanceContext): boolean =>
  memory.boot !== undefined && memory.boot !== context.boot

function exitCause(memory: InstanceMemory, context: InstanceContext): ExitCause {
  if (rebooted(memory, context)) return 'reboot'
  return memory.stopIntent?.reason ?? 'exit'
}

/** No pause is longer than the back-off's longest: one that seems to be is of a clock that was set back since. */
const isAhead = (time: number, now: number): boolean => now < time && time - now <= restartBackoff.maxMs

/** A step that failed lately waits for its time, unless there is something else to do meanwhile. */
function heldBack(
  step: InstanceStep,
  memory: InstanceMemory,
  context: InstanceContext,
  otherwise: () => InstanceStep = () => ({ type: 'wait' }),
): InstanceStep {
  const retry = memory.retry
  if (retry === undefined || retry.step !== step.type || !isAhead(retry.at, context.now)) return step
  const instead = otherwise()
  if (instead.type !== 'wait') return instead
  return { type: 'wait', until: Math.min(retry.at, instead.until ?? retry.at) }
}
