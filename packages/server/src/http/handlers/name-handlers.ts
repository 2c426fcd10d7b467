import { externalView } from '../../views/external-view.ts'
import type { Handlers } from '../handler.ts'
import { externalListing } from '../listings/external-listing.ts'
import type { Services } from '../services.ts'

type NameHandlers = Pick<Handlers, 'listExternals' | 'getExternal' | 'setExternal' | 'removeExternal'>

/** Names of what Berth does not run. */
export const nameHandlers = ({ views: { state }, info: { domain }, externals }: Services): NameHandlers => ({
  listExternals: () => externalListing(state, domain),
  getExternal: ({ params }) => externalView(externals.require(params.name), domain),
  setExternal: async ({ params, query, body, context }) =>
    externalView(await externals.put(params.name, body, query, context), domain),
  removeExternal: async ({ params, query, context }) => {
    await externals.remove(params.name, query, context)
    return { ok: true }
  },
})
