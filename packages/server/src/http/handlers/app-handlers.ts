import { parseSpec } from '@berth/api'
import { BerthError, checkName } from '@berth/core'
import { requireApp, requireRelease } from '../../controllers/operations/lookup.ts'
import { appView, releaseView } from '../../views/app-view.ts'
import { done, type Handlers } from '../handler.ts'
import { appListing, releaseListing } from '../listings/record-listings.ts'
import type { Services } from '../services.ts'
import { checkRepository } from './check-repository.ts'

type AppHandlers = Pick<
  Handlers,
  'listApps' | 'getApp' | 'createApp' | 'removeApp' | 'uploadSource' | 'validateSpec' | 'listReleases' | 'getRelease'
>

export const appHandlers = ({ views, apps, operations, sources, relay }: Services): AppHandlers => ({
  listApps: () => appListing(views),
  getApp: ({ params }) => appView(views, requireApp(views.state, params.app)),
  createApp: async ({ body, context, identity }) => {
    checkRepository({ views, sources }, identity, body.name, body)
    return appView(views, await apps.create(body, context))
  },
  removeApp: ({ params, context }) => done(operations.removeApp(params.app, context)),
  uploadSource: async ({ params, upload, signal, identity }) => {
    if (upload === undefined) {
      throw new BerthError('request.unsupported-media-type', 'send the git bundle as application/octet-stream')
    }
    const leader = await relay.toLeader('builds', identity, signal)
    if (leader !== undefined) return await leader.upload('uploadSource', { params, content: upload }, { signal })
    return await sources.acceptBundle(checkName('app', params.app), upload, { signal })
  },
  validateSpec: ({ body }) => {
    const { spec, problems } = parseSpec(body.yaml)
    return { problems: [...problems], ...(spec === undefined ? {} : { spec }) }
  },
  listReleases: ({ params }) => {
    requireApp(views.state, params.app)
    return releaseListing(views, params.app)
  },
  getRelease: ({ params }) => releaseView(views, requireRelease(views.state, params.app, params.release)),
})
