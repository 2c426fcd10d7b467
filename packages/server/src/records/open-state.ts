import { BerthError } from '@berth/core'
import type { Logger } from 'pino'
import { followStore } from '../store/follow-store.ts'
import type { ListResult, Store } from '../store/store.ts'
import { ChangeHistory } from './change-history.ts'
import { loadState } from './load-state.ts'
import type { State } from './state.ts'

/** Changes kept in memory for watchers that come back. */
const recentLimit = 2_048

/** Lists the store, then follows it. Fails when a record cannot be read: nothing may be decided on half a state. */
export async function openState(
  store: Store,
  options: { readonly log: Logger; readonly signal?: AbortSignal },
): Promise<State> {
  const closing = new AbortController()
  const signal = options.signal === undefined ? closing.signal : AbortSignal.any([options.signal, closing.signal])
  const { tables, mirror, follows } = await loadState(store, { log: options.log, signal })
  const history = new ChangeHistory(store, mirror.revision, recentLimit)
  mirror.subscribe((change) => history.add(change))
  const follower = {
    apply: mirror.apply.bind(mirror),
    replace: (again: ListResult): void => {
      history.reset(again.revision)
      mirror.replace(again)
    },
  }
  const following = followStore(store, '/', follower, { fromRevision: mirror.revision + 1, signal, log: options.log })
  return {
    ...tables,
    epoch: store.epoch,
    follows,
    get revision() {
      return mirror.revision
    },
    changes: {
      subscribe: (listener) => mirror.subscribe(listener),
      since: (revision, sinceOptions) =>
        history.since(revision, mirror.revision, anySignal(signal, sinceOptions?.signal)),
    },
    waitFor: async (revision, waitOptions) => {
      if (mirror.revision >= revision) return
      signal.throwIfAborted()
      await mirror.waiters.wait(revision, waitOptions?.signal)
    },
    [Symbol.asyncDispose]: async () => {
      closing.abort(new BerthError('state.closed', 'the state is closed: the server is stopping'))
      mirror.waiters.end(closing.signal.reason)
      await following
    },
  }
}

const anySignal = (a: AbortSignal, b: AbortSignal | undefined): AbortSignal =>
  b === undefined ? a : AbortSignal.any([a, b])
