import type { ProfileView } from '@berth/api'
import type { State } from '../../records/index.ts'
import { countInstances, profileView } from '../../views/profile-view.ts'
import type { Listing } from './listing.ts'

/** Ids: the profile's name. What is told again is a change of the profile, not of who has it. */
export const profileListing = (state: State): Listing<ProfileView> => ({
  all: () => {
    const counts = countInstances(state)
    const records = state.profiles.all().sort((a, b) => (a.name < b.name ? -1 : 1))
    return records.map((record) => profileView(state, record, counts))
  },
  get: (id) => {
    const record = state.profiles.get(id)
    return record === undefined ? undefined : profileView(state, record)
  },
  touched: ({ kind, id }) => (kind === 'profiles' ? [id] : []),
})
