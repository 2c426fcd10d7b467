import { socketOutput } from '../event-socket.ts'
import type { Handlers } from '../handler.ts'
import { eventListing } from '../listings/record-listings.ts'
import { subscriptionListing, subscriptionView } from '../listings/subscription-listing.ts'
import type { Services } from '../services.ts'
import { openWatch } from '../watch-stream.ts'

type SubscriptionHandlers = Pick<
  Handlers,
  'listSubscriptions' | 'setSubscription' | 'removeSubscription' | 'trySubscription' | 'streamEvents'
>

export const subscriptionHandlers = ({ views, subscriptions }: Services): SubscriptionHandlers => ({
  listSubscriptions: () => subscriptionListing(views.state),
  setSubscription: async ({ params, body, context }) =>
    subscriptionView(views.state, await subscriptions.put(params.name, body, context)),
  removeSubscription: async ({ params, context }) => {
    await subscriptions.remove(params.name, context)
    return { ok: true }
  },
  trySubscription: async ({ params, signal }) => {
    const from = performance.now()
    await subscriptions.try(params.name, signal)
    return { tookMs: Math.round(performance.now() - from) }
  },
  streamEvents: async ({ query: { app, revision = views.state.revision }, signal }, socket) => {
    const filter = app === undefined ? {} : { app }
    const watch = await openWatch(eventListing(views, filter), { state: views.state, revision, signal })
    const output = socketOutput(socket)
    await watch.run(output)
    output.end()
  },
})
