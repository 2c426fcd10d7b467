import type { ConfigVersionView } from '@berth/api'
import type { State } from '../../records/index.ts'
import { configVersionView } from '../../views/node-config-view.ts'
import type { Listing } from './listing.ts'

/** Ids: the version's number. */
export const configVersionListing = (state: State): Listing<ConfigVersionView> => ({
  all: () => state.configVersions.newest().map((version) => configVersionView(state, version)),
  get: (id) => {
    const version = state.configVersions.get(id)
    return version === undefined ? undefined : configVersionView(state, version)
  },
  touched: (change) => (change.kind === 'configVersions' || change.kind === 'configRollouts' ? [change.id] : []),
})
