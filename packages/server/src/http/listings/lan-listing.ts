import type { LanView } from '@berth/api'
import { lanView } from '../../views/lan-view.ts'
import type { ViewContext } from '../../views/view-context.ts'
import type { Listing } from './listing.ts'

/** Ids: the network's name. What nodes and instances do of it changes all of them. */
export const lanListing = (context: ViewContext): Listing<LanView> => {
  const { lans } = context.state
  return {
    all: () =>
      lans
        .all()
        .sort((a, b) => (a.name < b.name ? -1 : 1))
        .map((record) => lanView(context, record)),
    get: (id) => {
      const record = lans.get(id)
      return record === undefined ? undefined : lanView(context, record)
    },
    touched: ({ kind, id }) =>
      kind === 'lans' ? [id] : kind === 'nodes' || kind === 'nodeStatuses' ? [...lans.ids()] : [],
  }
}
