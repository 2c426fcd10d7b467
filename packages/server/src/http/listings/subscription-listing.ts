import type { SubscriptionView } from '@berth/api'
import type { State, SubscriptionRecord } from '../../records/index.ts'
import type { Listing } from './listing.ts'

/** Ids: the subscription's name. */
export const subscriptionListing = (state: State): Listing<SubscriptionView> => ({
  all: () =>
    state.subscriptions
      .all()
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map((record) => subscriptionView(state, record)),
  get: (id) => {
    const record = state.subscriptions.get(id)
    return record === undefined ? undefined : subscriptionView(state, record)
  },
  touched: ({ kind, id }) => (kind === 'subscriptions' || kind === 'subscriptionPositions' ? [id] : []),
})

export function subscriptionView(state: State, { sealed, ...record }: SubscriptionRecord): SubscriptionView {
  const {
    name: _,
    failures = 0,
    revision = 0,
    ...position
  } = state.subscriptionPositions.get(record.name) ?? { name: '' }
  return { ...record, events: [...record.events], hasSecret: sealed !== undefined, failures, revision, ...position }
}
