import type { Role } from '@berth/core'
import type { z } from 'zod'

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/**
 * How the answer travels. `json`: one document. `list`: `{items, revision}`; with `?watch=true&revision=N` the same address gives
 * server-sent events of {@link WatchEvent} from that revision on. `ndjson`: one JSON document a line, live. `sse`: server-sent
 * events. `websocket`: an upgraded connection.
 */
export type AnswerForm = 'json' | 'list' | 'ndjson' | 'sse' | 'websocket'

/** One operation of the HTTP API: the server's routes, the OpenAPI document and the typed client are all made from this table. */
export interface Endpoint<
  P extends z.ZodType = z.ZodType,
  Q extends z.ZodType = z.ZodType,
  B extends z.ZodType = z.ZodType,
  R extends z.ZodType = z.ZodType,
  T extends AnswerForm = AnswerForm,
> {
  readonly method: Method
  /** `/v1/apps/:app` */
  readonly path: string
  readonly summary: string
  /** The least role that may call it; `none` needs no token. */
  readonly role: Role | 'none'
  readonly transport: T
  readonly params: P
  readonly query: Q
  readonly body: B
  /** One item for `list`, one line for `ndjson`, one event's data for `sse`. */
  readonly response: R
}

export const defineEndpoint = <
  P extends z.ZodType,
  Q extends z.ZodType,
  B extends z.ZodType,
  R extends z.ZodType,
  T extends AnswerForm,
>(
  endpoint: Endpoint<P, Q, B, R, T>,
): Endpoint<P, Q, B, R, T> => endpoint

/** `put` carries the item, `delete` its id only; `mark` says that everything up to `revision` has been sent. */
export type WatchEvent<T> =
  | { readonly type: 'put'; readonly revision: number; readonly item: T }
  | { readonly type: 'delete'; readonly revision: number; readonly id: string }
  | { readonly type: 'mark'; readonly revision: number }

/** Body of every answer with a status of 400 and above. */
export interface ErrorBody {
  readonly error: {
    readonly code: string
    readonly message: string
    readonly retryable: boolean
    readonly details: Readonly<Record<string, unknown>>
  }
}
