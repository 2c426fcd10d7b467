import { BerthError, type Build } from '@berth/core'
import type { State } from '../../records/index.ts'
import { buildsAhead } from '../../views/builds-ahead.ts'
import { buildView } from '../../views/plain-views.ts'
import { rolloutView } from '../../views/rollout-view.ts'
import { defined } from '../../views/view-context.ts'
import type { Handlers } from '../handler.ts'
import { buildListing } from '../listings/record-listings.ts'
import type { Services } from '../services.ts'
import { checkRepository } from './check-repository.ts'

type BuildHandlers = Pick<
  Handlers,
  'deploy' | 'startBuild' | 'listBuilds' | 'getBuild' | 'getBuildOutput' | 'cancelBuild'
>

/** Sources lie on one server's disk: what reads them is done by the leader of `builds`, whichever server is asked. */
export const buildHandlers = ({ views, operations, buildOutputs, sources, relay }: Services): BuildHandlers => ({
  deploy: async ({ params, body, context, identity, signal }) => {
    checkRepository({ views, sources }, identity, params.app, body)
    const leader = await relay.toLeader('builds', identity, signal)
    if (leader !== undefined) return await leader.call('deploy', { params, body }, context)
    const { build, rollout } = await operations.deploy({ app: params.app, ...defined(body) }, context)
    return {
      ...(build === undefined ? {} : { build: buildView(build) }),
      ...(rollout === undefined ? {} : { rollout: rolloutView(rollout) }),
    }
  },
  startBuild: async ({ params, body, context, identity, signal }) => {
    checkRepository({ views, sources }, identity, params.app, body)
    const leader = await relay.toLeader('builds', identity, signal)
    if (leader !== undefined) return await leader.call('startBuild', { params, body }, context)
    return buildView(await operations.startBuild({ app: params.app, ...defined(body) }, context))
  },
  listBuilds: ({ query }) => buildListing(views, query),
  getBuild: ({ params }) => buildView(requireBuild(views.state, params.id), buildsAhead(views.state).get(params.id)),
  getBuildOutput: ({ params, query, signal, identity }) => {
    requireBuild(views.state, params.id)
    return buildOutputs.read(params.id, { follow: query.follow === true, signal, identity })
  },
  cancelBuild: async ({ params, context }) => buildView(await operations.cancelBuild(params.id, context)),
})

function requireBuild(state: State, id: string): Build {
  const build = state.builds.get(id)
  if (build !== undefined) return build
  throw new BerthError('build.not-found', `no build ${id}; \`berth builds\` lists them`, { details: { build: id } })
}
