import { type ApprovalRule, BerthError, checkName } from '@berth/core'
import type { CallContext } from '../controllers/operations.ts'
import { type EventDraft, NamedRecords, type Records, type State } from '../records/index.ts'

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
  readonly #rules: NamedRecords<'approvalRules'>
  readonly #now: () => number

  constructor(records: Records, now: () => number = Date.now) {
    this.#rules = new NamedRecords(records, {
      ...{ kind: 'approvalRules', most: mostRules, listed: mostRules },
      missing: (name, hint) => new BerthError('approval-rule.not-found', `there is no approval rule ${name}; ${hint}`),
      tooMany: (_, most) =>
        new BerthError('approval-rule.too-many', `there are ${most} approval rules, which is the most`),
    })
    this.#now = now
  }

  /** Throws `approval-rule.invalid`, `approval-rule.exists`, `approval-rule.too-many`, `name.invalid`. */
  async add(wanted: NewApprovalRule, context: CallContext): Promise<ApprovalRule> {
    const rule = { ...checked(wanted), createdAt: this.#now(), createdBy: context.actor }
    const message = `approval rule ${rule.name}: deploys to ${placesOf(rule)} need ${rule.needed} of role ${rule.role}`
    return this.#rules.add(rule, exists, { type: 'approval-rule.added', subject: subjectOf(rule), message }, context)
  }

  /** Throws `approval-rule.not-found`. */
  remove(name: string, context: CallContext): Promise<void> {
    const message = `approval rule ${name} is removed`
    const told = (rule: ApprovalRule): EventDraft => ({
      type: 'approval-rule.removed',
      subject: subjectOf(rule),
      message,
    })
    return this.#rules.remove(name, told, context)
  }
}

const exists = (name: string): BerthError =>
  new BerthError('approval-rule.exists', `there is an approval rule ${name} already: berth approval-rule rm ${name}`)

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

const placesOf = ({ app, pool }: Pick<ApprovalRule, 'app' | 'pool'>): string =>
  `${app ?? 'any app'}/${pool ?? 'any environment'}`

function checked({ name, app, pool, needed, role = 'deployer' }: NewApprovalRule) {
  checkName('approval rule', name)
  if (app !== undefined) checkName('app', app)
  if (pool !== undefined) checkName('pool', pool)
  if (!Number.isInteger(needed) || needed < 1 || needed > mostNeeded)
    throw new BerthError('approval-rule.invalid', `approval rule ${name}: 1 to ${mostNeeded} can have to say yes`)
  return { name, ...subjectOf({ ...(app && { app }), ...(pool && { pool }) }), needed, role }
}
