import type { FreezeView, HookTargetView, MetricSourceView } from '@berth/api'
import type { Freeze } from '@berth/core'
import { frozenUntil } from '../../freezes/freeze-times.ts'
import type { HookTargetRecord, MetricSourceRecord } from '../../records/index.ts'
import { rolloutView } from '../../views/rollout-view.ts'
import { done, type Handlers } from '../handler.ts'
import { recordListing } from '../listings/record-listing.ts'
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
  listApprovalRules: () => recordListing(views.state, 'approvalRules', (rule) => rule),
  addApprovalRule: ({ body, context }) => approvalRules.add(body, context),
  removeApprovalRule: ({ params, context }) => done(approvalRules.remove(params.name, context)),
  listHookTargets: () => recordListing(views.state, 'hookTargets', hookTargetView),
  setHookTarget: async ({ params, body, context }) => hookTargetView(await hookTargets.put(params.name, body, context)),
  removeHookTarget: ({ params, context }) => done(hookTargets.remove(params.name, context)),
  listFreezes: () => recordListing(views.state, 'freezes', freezeView),
  addFreeze: async ({ body, context }) => freezeView(await freezes.add(body, context)),
  removeFreeze: ({ params, context }) => done(freezes.remove(params.name, context)),
  getPrometheus: () => sourceView(metricSources.require()),
  setPrometheus: async ({ body, context }) => sourceView(await metricSources.set(body, context)),
  removePrometheus: ({ context }) => done(metricSources.remove(context)),
})

const sourceView = ({ url, user, sealed, ca, updatedAt, updatedBy }: MetricSourceRecord): MetricSourceView => ({
  ...{ url, hasSecret: sealed !== undefined, hasCa: ca !== undefined, updatedAt, updatedBy },
  ...(user === undefined ? {} : { user }),
})

const hookTargetView = ({ sealed, ...rest }: HookTargetRecord): HookTargetView => ({
  ...rest,
  hasSecret: sealed !== undefined,
})

function freezeView(freeze: Freeze): FreezeView {
  const until = frozenUntil(freeze, Date.now())
  return { ...freeze, ...(until === undefined ? {} : { until }) }
}
