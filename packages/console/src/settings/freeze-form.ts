import type { CallInput } from '@berth/api/client'
import { BerthError } from '@berth/core/model/berth-error'
import { parseDuration } from '@berth/core/spec/quantities'

export interface FreezeForm {
  readonly name: string
  readonly app: string
  readonly pool: string
  readonly kind: 'once' | 'again'
  /** As the browser's field gives it: `2026-12-24T18:00`, by the clock of the browser. */
  readonly from: string
  readonly until: string
  readonly cron: string
  readonly zone: string
  readonly length: string
  readonly reason: string
}

export const emptyFreeze = (zone: string): FreezeForm => ({
  ...{ name: '', app: '', pool: '', kind: 'once', from: '', until: '' },
  ...{ cron: '0 18 * * fri', zone, length: '62h', reason: '' },
})

/** The server says what else is wrong with it. */
export function freezeDocument(form: FreezeForm): NonNullable<CallInput<'addFreeze'>['body']> {
  const { name, app, pool, kind, from, until, cron, zone, length, reason } = form
  const scope = { ...(app === '' ? {} : { app }), ...(pool === '' ? {} : { pool }) }
  if (kind === 'once') return { name, reason, ...scope, from: Date.parse(from), until: Date.parse(until) }
  return { name, reason, ...scope, cron, zone, forMs: durationOf(length) }
}

export const isComplete = ({ name, reason, kind, from, until, cron, length }: FreezeForm): boolean =>
  name !== '' && reason.trim() !== '' && (kind === 'once' ? from !== '' && until !== '' : cron !== '' && length !== '')

/** `62h` in milliseconds; throws what is wrong with it. */
export function durationOf(text: string): number {
  const read = parseDuration(text.trim())
  if (read.ok) return read.value
  throw new BerthError('usage.time', read.message)
}
