import type { Readable } from 'node:stream'
import type { EndpointName, Endpoints } from '@berth/api'
import type { WebSocket } from 'ws'
import type { z } from 'zod'
import type { Identity } from '../auth/identity.ts'
import type { CallContext } from '../controllers/operations.ts'
import type { Listing } from './listings/listing.ts'

/** One call of an endpoint, authenticated, allowed and validated. */
export interface Call<N extends EndpointName> {
  readonly params: z.output<Endpoints[N]['params']>
  readonly query: z.output<Endpoints[N]['query']>
  readonly body: z.output<Endpoints[N]['body']>
  readonly identity: Identity
  /** For what is written: goes on when the caller leaves, ends only with the server. */
  readonly context: CallContext
  /** Aborts when the caller leaves or the server stops. For everything that is only read. */
  readonly signal: AbortSignal
  /** The caller's address; empty for callers of the unix socket. */
  readonly remote: string
  /** The request's bytes, when they came as `application/octet-stream`. */
  readonly upload?: Readable
}

type Item<N extends EndpointName> = z.input<Endpoints[N]['response']>

interface HandlerByTransport<N extends EndpointName> {
  readonly json: (call: Call<N>) => Item<N> | Promise<Item<N>>
  readonly list: (call: Call<N>) => Listing<Item<N>>
  readonly ndjson: (call: Call<N>) => AsyncIterable<Item<N>>
  readonly sse: never
  readonly websocket: (call: Call<N>, socket: WebSocket) => Promise<void>
}

export type Handler<N extends EndpointName> = HandlerByTransport<N>[Endpoints[N]['transport']]

/** One handler for every endpoint of the table: one that is missing does not compile. */
export type Handlers = { readonly [N in EndpointName]: Handler<N> }

/** The answer to a call that has nothing to tell, once it is over. */
export async function done(call: Promise<unknown>): Promise<{ readonly ok: true }> {
  await call
  return { ok: true }
}
