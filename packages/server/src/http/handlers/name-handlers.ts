import { domainView } from '../../views/domain-view.ts'
import { externalView } from '../../views/external-view.ts'
import type { Handlers } from '../handler.ts'
import { domainListing } from '../listings/domain-listing.ts'
import { externalListing } from '../listings/external-listing.ts'
import type { Services } from '../services.ts'

type NameHandlers = Pick<
  Handlers,
  | 'listExternals'
  | 'getExternal'
  | 'setExternal'
  | 'removeExternal'
  | 'listDomains'
  | 'getDomain'
  | 'setDomain'
  | 'removeDomain'
>

/** Names of what Berth does not run, and names that are not Berth's. */
export const nameHandlers = ({ views: { state }, info: { domain }, externals, domains }: Services): NameHandlers => ({
  listExternals: () => externalListing(state, domain),
  getExternal: ({ params }) => externalView(externals.require(params.name), domain),
  setExternal: async ({ params, query, body, context }) =>
    externalView(await externals.put(params.name, body, query, context), domain),
  removeExternal: async ({ params, query, context }) => {
    await externals.remove(params.name, query, context)
    return { ok: true }
  },
  listDomains: () => domainListing(state),
  getDomain: ({ params }) => domainView(state, domains.require(params.name)),
  setDomain: async ({ params, query, body, context }) =>
    domainView(state, await domains.put(params.name, body, query, context)),
  removeDomain: async ({ params, query, context }) => {
    await domains.remove(params.name, query, context)
    return { ok: true }
  },
})
