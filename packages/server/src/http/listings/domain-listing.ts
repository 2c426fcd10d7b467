import type { DomainView } from '@berth/api'
import type { State } from '../../records/index.ts'
import { domainView } from '../../views/domain-view.ts'
import type { Listing } from './listing.ts'

/** Ids: the domain's name. */
export const domainListing = (state: State): Listing<DomainView> => ({
  all: () =>
    state.domains
      .all()
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map((record) => domainView(state, record)),
  get: (id) => {
    const record = state.domains.get(id)
    return record === undefined ? undefined : domainView(state, record)
  },
  touched: ({ kind, id }) => (kind === 'domains' ? [id] : []),
})
