import type { HookTargetView } from '@berth/api'
import type { HookTargetRecord, State } from '../../records/index.ts'
import type { Listing } from './listing.ts'

export const hookTargetView = ({ sealed, ...rest }: HookTargetRecord): HookTargetView => ({
  ...rest,
  hasSecret: sealed !== undefined,
})

/** Ids: the target's name. */
export const hookTargetListing = ({ hookTargets }: State): Listing<HookTargetView> => ({
  all: () =>
    hookTargets
      .all()
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map(hookTargetView),
  get: (id) => {
    const record = hookTargets.get(id)
    return record === undefined ? undefined : hookTargetView(record)
  },
  touched: ({ kind, id }) => (kind === 'hookTargets' ? [id] : []),
})
