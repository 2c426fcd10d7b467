import { coreMapOf } from '../../schedule/core-map.ts'
import { poolView } from '../../views/pool-view.ts'
import { rolloutView } from '../../views/rollout-view.ts'
import { defined } from '../../views/view-context.ts'
import type { Handlers } from '../handler.ts'
import type { Services } from '../services.ts'
import { checkRepository } from './check-repository.ts'

type PlanningHandlers = Pick<Handlers, 'planDeploy' | 'applyPlan' | 'getCapacity' | 'getCoreMap'>

export const planningHandlers = ({
  views,
  operations,
  nodes,
  books,
  coreUse,
  sources,
  relay,
}: Services): PlanningHandlers => ({
  planDeploy: async ({ params, body, context, signal, identity }) => {
    checkRepository({ views, sources }, identity, params.app, body)
    const leader = await relay.toLeader('builds', identity, signal)
    if (leader !== undefined) return await leader.call('planDeploy', { params, body }, { signal })
    return await operations.plan({ app: params.app, ...defined(body) }, { ...context, signal })
  },
  applyPlan: async ({ params, body, context }) => {
    const { pool, rollout } = await operations.applyPlan({ ...body.plan, app: params.app }, context)
    return { pool: poolView(views, pool), ...(rollout === undefined ? {} : { rollout: rolloutView(rollout) }) }
  },
  getCapacity: ({ params, body }) => ({ entrypoints: [...operations.capacity({ ...params, ...defined(body) })] }),
  getCoreMap: async ({ params, signal }) => {
    const { name } = nodes.require(params.name)
    return coreMapOf(views.state, books.books, name, await coreUse(name, signal))
  },
})
