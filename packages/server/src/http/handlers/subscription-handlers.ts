import type { Handlers } from '../handler.ts'
import { subscriptionListing, subscriptionView } from '../listings/subscription-listing.ts'
import type { Services } from '../services.ts'

type SubscriptionHandlers = Pick<Handlers, 'listSubscriptions' | 'setSubscription' | 'removeSubscription'>

export const subscriptionHandlers = ({ views: { state }, subscriptions }: Services): SubscriptionHandlers => ({
  listSubscriptions: () => subscriptionListing(state),
  setSubscription: async ({ params, body, context }) =>
    subscriptionView(state, await subscriptions.put(params.name, body, context)),
  removeSubscription: async ({ params, context }) => {
    await subscriptions.remove(params.name, context)
    return { ok: true }
  },
})
