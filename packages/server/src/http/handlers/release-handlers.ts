import type { ApprovalRuleView, FreezeView, MetricSourceView } from '@berth/api'
import type { Freeze } from '@berth/core'
import { frozenUntil } from '../../freezes/freeze-times.ts'
import type { MetricSourceRecord, State } from '../../records/index.ts'
import { rolloutView } from '../../views/rollout-view.ts'
import type { Handlers } from '../handler.ts'
import { hookTargetListing, hookTargetView } from '../listings/hook-target-listing.ts'
import type { Listing } from '../listings/listing.ts'
import type { Services } from '../services.ts'

type ReleaseHandlers = Pick<
  Handlers,
  | 'approveRollout'
  | 'listFreezes'
  | 'addFreeze'
  | 'removeFreeze'
  | 'getPrometheus'
  | 'setPrometheus'
  | 'removePrometheus'
  | 'listApprovalRules'
  | 'addApprovalRule'
  | 'removeApprovalRule'
  | 'listHookTargets'
  | 'setHookTarget'
  | 'removeHookTarget'
>

/** What releases go by, beside their rollouts. */
export const releaseHandlers = ({
  views,
  operations,
  metricSources,
  freezes,
  hookTargets,
  approvalRules,
}: Services): ReleaseHandlers => ({
  approveRollout: async ({ params, context }) => rolloutView(await operations.approveRollout(params.id, context)),
  listApprovalRules: () => approvalRuleListing(views.state),
  addApprovalRule: ({ body, context }) => approvalRules.add(body, context),
  removeApprovalRule: async ({ params, context }) => {
    await approvalRules.remove(params.name, context)
    return { ok: true }
  },
  listHookTargets: () => hookTargetListing(views.state),
  setHookTarget: async ({ params, body, context }) => hookTargetView(await hookTargets.put(params.name, body, context)),
  removeHookTarget: async ({ params, context }) => {
    await hookTargets.remove(params.name, context)
    return { ok: true }
  },
  listFreezes: () => freezeListing(views.state),
  addFreeze: async ({ body, context }) => freezeView(await freezes.add(body, context)),
  removeFreeze: async ({ params, context }) => {
    await freezes.remove(params.name, context)
    return { ok: true }
  },
  getPrometheus: () => sourceView(metricSources.require()),
  setPrometheus: async ({ body, context }) => sourceView(await metricSources.set(body, context)),
  removePrometheus: async ({ context }) => {
    await metricSources.remove(context)
    return { ok: true }
  },
})

const sourceView = ({ url, user, sealed, ca, updatedAt, updatedBy }: MetricSourceRecord): MetricSourceView => ({
  ...{ url, hasSecret: sealed !== undefined, hasCa: ca !== undefined, updatedAt, updatedBy },
  ...(user === undefined ? {} : { user }),
})

function freezeView(freeze: Freeze): FreezeView {
  const until = frozenUntil(freeze, Date.now())
  return { ...freeze, ...(until === undefined ? {} : { until }) }
}

/** Ids: the freeze's name. */
const freezeListing = ({ freezes }: State): Listing<FreezeView> => ({
  all: () =>
    freezes
      .all()
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map(freezeView),
  get: (id) => {
    const freeze = freezes.get(id)
    return freeze === undefined ? undefined : freezeView(freeze)
  },
  touched: ({ kind, id }) => (kind === 'freezes' ? [id] : []),
})

/** Ids: the rule's name. */
const approvalRuleListing = ({ approvalRules }: State): Listing<ApprovalRuleView> => ({
  all: () => approvalRules.all().sort((a, b) => (a.name < b.name ? -1 : 1)),
  get: (id) => approvalRules.get(id),
  touched: ({ kind, id }) => (kind === 'approvalRules' ? [id] : []),
})
