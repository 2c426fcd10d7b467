import { BerthError, checkName, type Freeze, parseCron, parseZone } from '@berth/core'
import type { CallContext } from '../controllers/operations.ts'
import { type EventDraft, NamedRecords, type Records } from '../records/index.ts'

const mostFreezes = 200
const mostReason = 500
const mostMs = 366 * 86_400_000

export interface NewFreeze {
  readonly name: string
  readonly app?: string | undefined
  readonly pool?: string | undefined
  readonly from?: number | undefined
  readonly until?: number | undefined
  readonly cron?: string | undefined
  readonly zone?: string | undefined
  readonly forMs?: number | undefined
  readonly reason: string
}

/** Times in which nothing new is deployed, as people set them. */
export class Freezes {
  readonly #freezes: NamedRecords<'freezes'>
  readonly #now: () => number

  constructor(records: Records, now: () => number = Date.now) {
    this.#freezes = new NamedRecords(records, {
      ...{ kind: 'freezes', most: mostFreezes, listed: mostFreezes },
      missing: (name, hint) =>
        new BerthError('freeze.not-found', `there is no freeze ${name}; ${hint}`, { details: { freeze: name } }),
      tooMany: (_, most) =>
        new BerthError('freeze.too-many', `there are ${most} freezes, which is the most: remove old ones`),
    })
    this.#now = now
  }

  /** Throws `freeze.invalid`, `freeze.exists`, `freeze.too-many`, `name.invalid`. */
  async add(wanted: NewFreeze, context: CallContext): Promise<Freeze> {
    const freeze = { ...checked(wanted), createdAt: this.#now(), createdBy: context.actor }
    const message = `freeze ${freeze.name}: ${freeze.reason}`
    return this.#freezes.add(freeze, exists, { type: 'freeze.added', subject: subjectOf(freeze), message }, context)
  }

  /** Throws `freeze.not-found`. */
  remove(name: string, context: CallContext): Promise<void> {
    const message = `freeze ${name} is removed`
    const told = (freeze: Freeze): EventDraft => ({ type: 'freeze.removed', subject: subjectOf(freeze), message })
    return this.#freezes.remove(name, told, context)
  }
}

const exists = (name: string): BerthError =>
  new BerthError('freeze.exists', `there is a freeze ${name} already: berth freeze rm ${name}`)

const subjectOf = ({ app, pool }: Pick<Freeze, 'app' | 'pool'>) => ({
  ...(app === undefined ? {} : { app }),
  ...(pool === undefined ? {} : { pool }),
})

function checked({ name, app, pool, reason, ...rest }: NewFreeze): Omit<Freeze, 'createdAt' | 'createdBy'> {
  checkName('freeze', name)
  if (app !== undefined) checkName('app', app)
  if (pool !== undefined) checkName('pool', pool)
  if (reason.trim() === '' || reason.length > mostReason)
    throw invalid(name, `say why, in at most ${mostReason} characters`)
  return { name, ...subjectOf({ ...(app && { app }), ...(pool && { pool }) }), when: whenOf(name, rest), reason }
}

function whenOf(name: string, { from, until, cron, zone, forMs }: Partial<NewFreeze>): Freeze['when'] {
  const isOnce = from !== undefined && until !== undefined && cron === undefined && forMs === undefined
  const isAgain = cron !== undefined && forMs !== undefined && from === undefined && until === undefined
  if (isOnce) {
    if (until <= from) throw invalid(name, 'it ends before it begins')
    if (until - from > mostMs) throw invalid(name, 'it lasts for more than a year')
    return { type: 'once', from, until }
  }
  if (!isAgain) throw invalid(name, 'give either from and until, or a cron expression and how long it lasts')
  const expression = parseCron(cron)
  if (!expression.ok) throw invalid(name, expression.message)
  const place = parseZone(zone ?? 'UTC')
  if (!place.ok) throw invalid(name, `${place.message}; ${place.suggestion ?? ''}`)
  if (forMs < 60_000 || forMs > mostMs) throw invalid(name, 'it lasts for a minute at least, and a year at most')
  return { type: 'again', cron: expression.value, zone: place.value, forMs }
}

const invalid = (name: string, why: string): BerthError => new BerthError('freeze.invalid', `freeze ${name}: ${why}`)
