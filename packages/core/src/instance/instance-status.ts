import type { Assignment } from '../model/assignment.ts'
import { isSameIncarnation } from '../model/incarnation.ts'
import type { GrantInForce, InstanceStatus } from '../model/instance.ts'
import type { InstancePhase } from '../model/instance-phase.ts'
import { nodeLinkNetwork } from '../network/network-mode.ts'
import type { InstanceMemory, ObservedContainer } from './instance-state.ts'

/** What the probes of the current run say. */
export interface ReadinessReport {
  readonly ready: boolean
  readonly readyAt?: number
  /** Why it is not ready, e.g. `GET http://10.77.0.3:8080/healthz answered 503`. */
  readonly message?: string
}

/** The report of one instance, as the server gets it. */
export function instanceStatus(
  node: string,
  assignment: Pick<Assignment, 'instance' | 'createdAt' | 'address' | 'readyTimeoutMs' | 'type'>,
  container: ObservedContainer | undefined,
  memory: InstanceMemory,
  readiness: ReadinessReport,
  now: number,
  granted?: GrantInForce,
): InstanceStatus {
  if (container !== undefined && !isSameIncarnation(container, assignment)) {
    return waitingStatus(node, assignment, memory.phase)
  }
  const running = container?.state === 'running' && memory.run !== undefined
  const ready = running && memory.phase === 'running' && readiness.ready
  const readyAt = ready ? readiness.readyAt : running ? memory.run?.lastReadyAt : undefined
  // What has ended has no run any more; how long it took is asked of it all the same.
  const startedAt = memory.run?.startedAt ?? (memory.phase === 'ended' ? memory.firstStartedAt : undefined)
  return {
    id: assignment.instance,
    ...(assignment.createdAt === undefined ? {} : { createdAt: assignment.createdAt }),
    node,
    phase: memory.phase,
    ready,
    ...(readyAt === undefined ? {} : { readyAt }),
    ...(container === undefined ? {} : { containerId: container.id }),
    ...(running && container.pid !== undefined ? { pid: container.pid } : {}),
    address: assignment.address,
    ...(running ? networksOf(container) : {}),
    ...(running && granted !== undefined ? { granted } : {}),
    restarts: memory.restarts,
    ...(startedAt === undefined ? {} : { startedAt }),
    ...(memory.endedAt === undefined ? {} : { endedAt: memory.endedAt }),
    ...(memory.lastExit === undefined ? {} : { lastExit: memory.lastExit }),
    ...(ready
      ? refusedGrant(memory)
      : explanation(assignment, memory, readiness, running ? startedAt : undefined, now)),
    ...(ready || memory.logTail === undefined || memory.logTail.length === 0 ? {} : { logTail: memory.logTail }),
  }
}

function networksOf({ networks: all = [] }: ObservedContainer): Pick<InstanceStatus, 'networks'> {
  // That one is a part of what it has of its own.
  const networks = all.filter(({ name }) => name !== nodeLinkNetwork)
  if (networks.length === 0) return {}
  return { networks: networks.map(({ name, address }) => (address === undefined ? { name } : { name, address })) }
}

/** Of an instance whose name is still an earlier one's, until that has ended. */
export const waitingStatus = (
  node: string,
  { instance, createdAt, address }: Pick<Assignment, 'instance' | 'createdAt' | 'address'>,
  phase: InstancePhase = 'assigned',
): InstanceStatus => ({
  id: instance,
  ...(createdAt === undefined ? {} : { createdAt }),
  node,
  phase,
  ready: false,
  address,
  restarts: 0,
  messageCode: 'name-taken',
  message: `${instance} waits for the end of an earlier instance of its name on ${node}`,
})

/** That it has its assignment, and nothing else: there is something to be told once its agent does something about it. */
export const isNothingNew = ({ phase, message, restarts, containerId }: InstanceStatus): boolean =>
  phase === 'assigned' && message === undefined && containerId === undefined && restarts === 0

/** An instance that is ready works, but with what it had before. */
function refusedGrant({ retry, message, messageCode }: InstanceMemory): { message?: string; messageCode?: string } {
  if (
    (retry?.step !== 'update-grant' && retry?.step !== 'attach') ||
    message === undefined ||
    messageCode === undefined
  )
    return {}
  return { message, messageCode }
}

function explanation(
  assignment: Pick<Assignment, 'instance' | 'readyTimeoutMs' | 'type'>,
  memory: InstanceMemory,
  readiness: ReadinessReport,
  runningSince: number | undefined,
  now: number,
): { message?: string; messageCode?: string } {
  const { instance, readyTimeoutMs } = assignment
  const why = readiness.message === undefined ? '' : `: ${readiness.message}`
  // What ends answers no probe any more: that it does not is no news, and nobody's trouble.
  if (memory.phase === 'stopping' && runningSince !== undefined)
    return { messageCode: 'stopping', message: `${instance} is being stopped: its processes have been told to end` }
  const wasReady = memory.run?.lastReadyAt !== undefined
  if (runningSince !== undefined && assignment.type === 'service' && readyTimeoutMs > 0 && !wasReady) {
    if (now - runningSince >= readyTimeoutMs) {
      const limit = Math.round(readyTimeoutMs / 100) / 10
      return { messageCode: 'ready-timeout', message: `${instance} is not ready ${limit} s after its start${why}` }
    }
  }
  if (memory.message !== undefined) {
    return { message: memory.message, ...(memory.messageCode === undefined ? {} : { messageCode: memory.messageCode }) }
  }
  if (runningSince === undefined || readiness.message === undefined) return {}
  return { messageCode: 'not-ready', message: `${instance} is not ready${wasReady ? ' any more' : ''}${why}` }
}
