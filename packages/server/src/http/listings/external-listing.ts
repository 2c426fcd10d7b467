import type { ExternalView } from '@berth/api'
import type { State } from '../../records/index.ts'
import { externalView } from '../../views/external-view.ts'
import type { Listing } from './listing.ts'

/** Ids: the external service's name. */
export const externalListing = (state: State, domain: string): Listing<ExternalView> => ({
  all: () =>
    state.externals
      .all()
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map((record) => externalView(record, domain)),
  get: (id) => {
    const record = state.externals.get(id)
    return record === undefined ? undefined : externalView(record, domain)
  },
  touched: ({ kind, id }) => (kind === 'externals' ? [id] : []),
})
