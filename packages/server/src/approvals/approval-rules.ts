import { type ApprovalRule, BerthError, checkName, closest } from '@berth/core'
import type { CallContext } from '../controllers/operations.ts'
import type { Records, RecordTransaction, State } from '../records/index.ts'

const mostRules = 200
const mostNeeded = 10

export interface NewApprovalRule {
  readonly name: string
  readonly app?: string | undefined
  readonly pool?: string | undefined
  readonly needed: number
  readonly role?: 'deployer' | 'admin' | undefined
}

/** How many have to say yes to deploys, as admins say: a `berth.yaml` can ask for more, never for less. */
export class ApprovalRules {
  readonly #records: Records
  readonly #state: State
  readonly #now: () => number

  constructor(records: Records, now: () => number = Date.now) {
    this.#records = records
    this.#state = records.state
    this.#now = now
  }

  /** Throws `approval-rule.invalid`, `approval-rule.exists`, `approval-rule.too-many`, `name.invalid`. */
  async add(wanted: NewApprovalRule, context: CallContext): Promise<ApprovalRule> {
    const rule = { ...checked(wanted), createdAt: this.#now(), createdBy: context.actor }
    const decide = (tx: RecordTransaction): ApprovalRule => {
      const { approvalRules } = this.#state
      if (approvalRules.has(rule.name))
        throw new BerthError(
          'approval-rule.exists',
          `there is an approval rule ${rule.name} already: berth approval-rule rm ${rule.name}`,
        )
      if (approvalRules.size >= mostRules)
        throw new BerthError('approval-rule.too-many', `there are ${mostRules} approval rules, which is the most`)
      tx.create('approvalRules', rule)
      const message = `approval rule ${rule.name}: deploys to ${placesOf(rule)} need ${rule.needed} of role ${rule.role}`
      tx.event({ type: 'approval-rule.added', subject: subjectOf(rule), message })
      return rule
    }
    return (await this.#records.commit(context.actor, decide, context)).value
  }

  /** Throws `approval-rule.not-found`. */
  async remove(name: string, context: CallContext): Promise<void> {
    await this.#records.commit(
      context.actor,
      (tx) => {
        const rule = this.#state.approvalRules.get(name)
        if (rule === undefined) throw this.#missing(name)
        tx.delete('approvalRules', name, { ifUnchanged: true })
        const message = `approval rule ${name} is removed`
        tx.event({ type: 'approval-rule.removed', subject: subjectOf(rule), message })
      },
      context,
    )
  }

  #missing(name: string): BerthError {
    const names = [...this.#state.approvalRules.ids()].sort()
    const near = closest(name, names)
    const hint = near === undefined ? `there are: ${names.join(', ') || 'none'}` : `did you mean ${near}?`
    return new BerthError('approval-rule.not-found', `there is no approval rule ${name}; ${hint}`)
  }
}

/** Those that hold for deploys to this pool, by name. */
export const approvalRulesFor = (state: State, app: string, pool: string): readonly ApprovalRule[] =>
  state.approvalRules
    .all()
    .filter((rule) => (rule.app ?? app) === app && (rule.pool ?? pool) === pool)
    .sort((a, b) => (a.name < b.name ? -1 : 1))

const subjectOf = ({ app, pool }: Pick<ApprovalRule, 'app' | 'pool'>) => ({
  ...(app === undefined ? {} : { app }),
  ...(pool === undefined ? {} : { pool }),
})

const placesOf = ({ app, pool }: ApprovalRule): string => `${app ?? 'any app'}/${pool ?? 'any environment'}`

function checked({ name, app, pool, needed, role = 'deployer' }: NewApprovalRule) {
  checkName('approval rule', name)
  if (app !== undefined) checkName('app', app)
  if (pool !== undefined) checkName('pool', pool)
  if (!Number.isInteger(needed) || needed < 1 || needed > mostNeeded)
    throw new BerthError('approval-rule.invalid', `approval rule ${name}: 1 to ${mostNeeded} can have to say yes`)
  return { name, ...subjectOf({ ...(app && { app }), ...(pool && { pool }) }), needed, role }
}
