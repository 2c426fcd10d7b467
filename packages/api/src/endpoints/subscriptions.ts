import { z } from 'zod'
import { defineEndpoint } from '../endpoint.ts'
import { subscriptionDocument, subscriptionView } from '../subscription-resources.ts'
import { listQuery, nameParams, none, ok } from './shared.ts'

/** Who else is told of events. */
export const subscriptionsEndpoints = {
  listSubscriptions: defineEndpoint({
    method: 'GET',
    path: '/v1/subscriptions',
    summary: 'Who is told of events elsewhere: webhooks and channels of Redis, and how far each has come',
    role: 'viewer',
    transport: 'list',
    params: none,
    query: listQuery,
    body: none,
    response: subscriptionView,
  }),
  setSubscription: defineEndpoint({
    method: 'PUT',
    path: '/v1/subscriptions/:name',
    summary: 'Tell events to a URL or a channel of Redis, each at least once, in order',
    role: 'admin',
    transport: 'json',
    params: nameParams,
    query: none,
    body: subscriptionDocument,
    response: subscriptionView,
  }),
  removeSubscription: defineEndpoint({
    method: 'DELETE',
    path: '/v1/subscriptions/:name',
    summary: 'Tell it nothing any more',
    role: 'admin',
    transport: 'json',
    params: nameParams,
    query: none,
    body: none,
    response: ok,
  }),
  trySubscription: defineEndpoint({
    method: 'POST',
    path: '/v1/subscriptions/:name/try',
    summary: 'Send a delivery of no events: would the next one be taken?',
    role: 'admin',
    transport: 'json',
    params: nameParams,
    query: none,
    body: none,
    response: z.object({ tookMs: z.number().int() }),
  }),
  streamEvents: defineEndpoint({
    method: 'GET',
    path: '/v1/events/stream',
    summary: 'What happens, live over a WebSocket: the messages of the watch of events, from behind a revision on',
    role: 'viewer',
    transport: 'websocket',
    params: none,
    query: z.strictObject({ app: z.string().optional(), revision: z.coerce.number().int().nonnegative().optional() }),
    body: none,
    response: z.unknown(),
  }),
} as const
