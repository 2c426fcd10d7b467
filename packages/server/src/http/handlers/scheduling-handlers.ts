import { BerthError } from '@berth/core'
import { instanceView } from '../../views/instance-view.ts'
import { nodeView } from '../../views/node-view.ts'
import { poolView } from '../../views/pool-view.ts'
import { rolloutView } from '../../views/rollout-view.ts'
import { approvalView, cronView, groupView } from '../../views/scheduling-views.ts'
import { defined } from '../../views/view-context.ts'
import { done, type Handlers } from '../handler.ts'
import { approvalListing, cronListing, groupListing } from '../listings/scheduling-listings.ts'
import type { Services } from '../services.ts'

type SchedulingHandlers = Pick<
  Handlers,
  | 'listGroups'
  | 'getGroup'
  | 'createGroup'
  | 'updateGroup'
  | 'removeGroup'
  | 'drainNode'
  | 'undrainNode'
  | 'measureNode'
  | 'movePool'
  | 'listApprovals'
  | 'decideApproval'
  | 'listCrons'
  | 'getCron'
  | 'runCron'
>

export const schedulingHandlers = ({
  views,
  nodes,
  nodeSpeed,
  groups,
  approvals,
  operations,
}: Services): SchedulingHandlers => ({
  listGroups: () => groupListing(views),
  getGroup: ({ params }) => groupView(views, groups.require(params.name)),
  createGroup: async ({ body: { name, ...rules }, context }) =>
    groupView(views, await groups.create(name, defined(rules), context)),
  updateGroup: async ({ params, body, context }) =>
    groupView(views, await groups.update(params.name, defined(body), context)),
  removeGroup: ({ params, context }) => done(groups.remove(params.name, context)),
  drainNode: async ({ params, body, context }) => nodeView(views, await nodes.drain(params.name, body.limit, context)),
  undrainNode: async ({ params, context }) => nodeView(views, await nodes.undrain(params.name, context)),
  measureNode: async ({ params, body, context, signal }) => {
    const { node, ...rates } = await nodeSpeed.measure(params.name, body.against, { signal, context })
    return { node: nodeView(views, node), ...rates }
  },
  movePool: async ({ params, body, context }) => {
    const { pool, rollout } = await operations.movePool({ ...params, ...body }, context)
    return { pool: poolView(views, pool), ...(rollout === undefined ? {} : { rollout: rolloutView(rollout) }) }
  },
  listApprovals: () => approvalListing(views),
  decideApproval: async ({ params, body, context }) =>
    approvalView(await approvals.decide({ ...params, ...body }, context)),
  listCrons: ({ query }) => cronListing(views, query),
  getCron: ({ params: { app, pool, entrypoint } }) => {
    const view = cronView(views.state, app, pool, entrypoint)
    if (view !== undefined) return view
    throw new BerthError(
      'cron.not-found',
      `${app}/${pool} has no job ${entrypoint} that runs by the clock; see: berth cron ls`,
      { details: { app, pool, entrypoint } },
    )
  },
  runCron: async ({ params, context }) => instanceView(views, await operations.runCron(params, context)),
})
