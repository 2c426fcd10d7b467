import type { ServerView } from '@berth/api'
import type { State } from '../../records/index.ts'
import { serverView, serverViews } from '../../views/server-view.ts'
import type { Listing } from './listing.ts'

/** Ids: the server's name. A change of who leads touches all. */
export const serverListing = (state: State, answering: string): Listing<ServerView> => ({
  all: () => serverViews(state, answering),
  get: (id) => {
    const member = state.members.get(id)
    return member === undefined ? undefined : serverView(state, member, answering)
  },
  touched: (change) => {
    if (change.kind === 'members') return [change.id]
    return change.kind === 'leaders' ? [...state.members.ids()] : []
  },
})
