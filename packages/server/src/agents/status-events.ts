import type { EventType, Instance, InstanceStatus } from '@berth/core'
import type { EventDraft } from '../records/index.ts'

/** What a change of status means to a reader of events; most changes mean nothing. */
export function eventsOfStatus(
  instance: Instance,
  before: InstanceStatus | undefined,
  after: InstanceStatus,
): EventDraft[] {
  const { app, pool, id } = instance
  const subject = { app, pool, instance: id, node: after.node }
  const events: EventDraft[] = []
  const add = (type: EventType, message: string): void =>
    void events.push({ type, subject, message: `${id} ${message}` })
  if (after.restarts > (before?.restarts ?? 0)) add('instance.restarted', `was restarted (${exitText(after)})`)
  if (after.phase === 'running' && before?.phase !== 'running') add('instance.started', `runs on ${after.node}`)
  if (after.ready && before?.ready !== true) add('instance.ready', 'is ready')
  if (!after.ready && before?.ready === true && after.phase === 'running') {
    add('instance.unready', `is not ready any more${after.message === undefined ? '' : `: ${after.message}`}`)
  }
  if (after.phase === 'ended' && before?.phase !== 'ended') add('instance.ended', `ended (${exitText(after)})`)
  return events
}

function exitText(status: InstanceStatus): string {
  const { lastExit } = status
  if (lastExit === undefined) return status.message ?? 'never started'
  if (lastExit.outOfMemory) return 'out of memory'
  return lastExit.signal === undefined ? `exit code ${lastExit.code}` : `signal ${lastExit.signal}`
}

/** What instances go through every day. */
export const isEveryday = ({ type }: EventDraft): boolean => type === 'instance.started' || type === 'instance.ready'
