import { releaseDiff } from '../../pipelines/release-diff.ts'
import { hookPath, pipelineView } from '../../views/pipeline-view.ts'
import { buildView } from '../../views/plain-views.ts'
import { rolloutView } from '../../views/rollout-view.ts'
import { defined } from '../../views/view-context.ts'
import { done, type Handlers } from '../handler.ts'
import type { Services } from '../services.ts'

type PipelineHandlers = Pick<
  Handlers,
  | 'promoteRelease'
  | 'getReleaseDiff'
  | 'getPipeline'
  | 'setPipeline'
  | 'removePipeline'
  | 'createWebhookSecret'
  | 'lookAtPipeline'
>

export const pipelineHandlers = ({
  views: { state },
  pipelines,
  looks,
  relay,
  operations,
  sources,
}: Services): PipelineHandlers => ({
  getPipeline: ({ params }) => pipelineView(pipelines.require(params.app), state.seenRefs.get(params.app)),
  setPipeline: async ({ params, query, body, context }) =>
    pipelineView(await pipelines.put(params.app, defined(body), query, context), state.seenRefs.get(params.app)),
  removePipeline: ({ params, context }) => done(pipelines.remove(params.app, context)),
  createWebhookSecret: async ({ params, context }) => ({
    path: hookPath(params.app),
    secret: await pipelines.createSecret(params.app, context),
  }),
  promoteRelease: async ({ params, body, context }) => {
    const { from, rollout } = await operations.promote({ app: params.app, ...defined(body) }, context)
    return { from, rollout: rolloutView(rollout) }
  },
  getReleaseDiff: async ({ params, query, identity, signal }) => {
    const leader = await relay.toLeader('builds', identity, signal)
    if (leader !== undefined) return await leader.call('getReleaseDiff', { params, query }, { signal })
    return await releaseDiff({ state, sources, signal }, { ...params, ...defined(query) })
  },
  lookAtPipeline: async ({ params, body, context, identity, signal }) => {
    pipelines.require(params.app)
    const leader = await relay.toLeader('builds', identity, signal)
    if (leader !== undefined) return await leader.call('lookAtPipeline', { params, body }, { signal })
    const { by, refs: hinted } = body
    const { builds, skipped } = await looks.look(params.app, { by, hinted, ...defined({ signal: context.signal }) })
    return { builds: builds.map((build) => buildView(build)), skipped: [...skipped] }
  },
})
