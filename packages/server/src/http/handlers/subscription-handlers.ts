import { subscriptionView } from '../../views/subscription-view.ts'
import { socketOutput } from '../event-socket.ts'
import { done, type Handlers } from '../handler.ts'
import { recordListing } from '../listings/record-listing.ts'
import { eventListing } from '../listings/record-listings.ts'
import type { Services } from '../services.ts'
import { openWatch } from '../watch-stream.ts'

type SubscriptionHandlers = Pick<
  Handlers,
  'listSubscriptions' | 'setSubscription' | 'removeSubscription' | 'trySubscription' | 'streamEvents'
>

export const subscriptionHandlers = ({ views, subscriptions }: Services): SubscriptionHandlers => ({
  listSubscriptions: () =>
    recordListing(views.state, 'subscriptions', (record) => subscriptionView(views.state, record), [
      'subscriptionPositions',
    ]),
  setSubscription: async ({ params, body, context }) =>
    subscriptionView(views.state, await subscriptions.put(params.name, body, context)),
  removeSubscription: ({ params, context }) => done(subscriptions.remove(params.name, context)),
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
