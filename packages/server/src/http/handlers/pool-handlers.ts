import { requireRollout } from '../../controllers/operations/lookup.ts'
import { instanceView } from '../../views/instance-view.ts'
import { poolView } from '../../views/pool-view.ts'
import { receiptView, rolloutView } from '../../views/rollout-view.ts'
import { defined } from '../../views/view-context.ts'
import { done, type Handlers } from '../handler.ts'
import { rolloutListing } from '../listings/record-listings.ts'
import type { Services } from '../services.ts'

type PoolHandlers = Pick<
  Handlers,
  | 'scalePool'
  | 'restartPool'
  | 'rollbackPool'
  | 'removePool'
  | 'runJob'
  | 'listRollouts'
  | 'getRollout'
  | 'pauseRollout'
  | 'resumeRollout'
  | 'abortRollout'
  | 'skipStage'
  | 'continueRollout'
  | 'rollbackRollout'
  | 'getReceipt'
>

export const poolHandlers = ({ views, operations }: Services): PoolHandlers => ({
  scalePool: async ({ params, body, context }) =>
    poolView(views, await operations.scale({ ...params, ...body }, context)),
  restartPool: async ({ params, context }) => rolloutView(await operations.restart(params, context)),
  rollbackPool: async ({ params, body, context }) =>
    rolloutView(await operations.rollback({ ...params, ...defined(body) }, context)),
  removePool: ({ params, context }) => done(operations.removePool(params, context)),
  runJob: async ({ params, body, context }) =>
    instanceView(views, await operations.runJob({ ...params, ...defined(body) }, context)),
  listRollouts: ({ query }) => rolloutListing(views, query),
  getRollout: ({ params }) => rolloutView(requireRollout(views.state, params.id)),
  pauseRollout: async ({ params, context }) => rolloutView(await operations.pauseRollout(params.id, context)),
  resumeRollout: async ({ params, context }) => rolloutView(await operations.resumeRollout(params.id, context)),
  abortRollout: async ({ params, context }) => rolloutView(await operations.abortRollout(params.id, context)),
  skipStage: async ({ params, context }) => rolloutView(await operations.skipStage(params.id, context)),
  continueRollout: async ({ params, context }) => rolloutView(await operations.continueRollout(params.id, context)),
  rollbackRollout: async ({ params, context }) => rolloutView(await operations.rollbackRollout(params.id, context)),
  getReceipt: ({ params }) => receiptView(views.state, requireRollout(views.state, params.id), Date.now()),
})
