import { domainView } from '../../views/domain-view.ts'
import { externalView } from '../../views/external-view.ts'
import { done, type Handlers } from '../handler.ts'
import { recordListing } from '../listings/record-listing.ts'
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
  listExternals: () => recordListing(state, 'externals', (record) => externalView(record, domain)),
  getExternal: ({ params }) => externalView(externals.require(params.name), domain),
  setExternal: async ({ params, query, body, context }) =>
    externalView(await externals.put(params.name, body, query, context), domain),
  removeExternal: ({ params, query, context }) => done(externals.remove(params.name, query, context)),
  listDomains: () => recordListing(state, 'domains', (record) => domainView(state, record)),
  getDomain: ({ params }) => domainView(state, domains.require(params.name)),
  setDomain: async ({ params, query, body, context }) =>
    domainView(state, await domains.put(params.name, body, query, context)),
  removeDomain: ({ params, query, context }) => done(domains.remove(params.name, query, context)),
})
