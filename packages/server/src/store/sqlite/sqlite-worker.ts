/**
 * The store's thread: SQLite is synchronous and waits for the disk, so it runs here and the server's event loop never does.
 * It depends on nothing but Node and `@berth/core`, so that it can be bundled into one CommonJS text.
 */
import type { DatabaseSync } from 'node:sqlite'
import { parentPort } from 'node:worker_threads'
import type { Lease } from '../store.ts'
import { type StoreError, storeError } from '../store-error.ts'
import { openDatabase } from './database.ts'
import { packAnswer, unpackGroup } from './group-codec.ts'
import { GroupCommit } from './group-commit.ts'
import { History } from './history.ts'
import type {
  AnswerMessage,
  OpenAnswer,
  OpenRequest,
  PackedAnswer,
  PackedGroup,
  RequestMessage,
  RequestName,
  Requests,
} from './protocol.ts'
import { Pruning } from './pruning.ts'
import { fromSqlite, isFatal, serializeError } from './sqlite-error.ts'
import { Writer } from './writer.ts'

interface OpenStore {
  readonly path: string
  readonly database: DatabaseSync
  readonly history: History
  readonly commits: GroupCommit
  readonly pruning: Pruning
}

type Handlers = {
  readonly [N in RequestName]: (ask: Requests[N]['ask']) => Requests[N]['answer'] | Promise<Requests[N]['answer']>
}

let store: OpenStore | undefined
/** Set once, after which nothing but `close` is done. */
let failure: StoreError | undefined

const handlers: Handlers = {
  open: (ask) => open(ask),
  get: ({ key }) => ({ kv: opened().history.get(key), revision: opened().history.revision }),
  list: (ask) => opened().history.list(ask),
  commit: (group) => commit(group),
  scan: (ask) => opened().history.scan(ask),
  compact: async ({ revision }) => {
    await opened().pruning.compact(revision)
    return null
  },
  close: () => {
    close()
    return null
  },
}

function open(ask: OpenRequest): OpenAnswer {
  const database = openDatabase(ask)
  const history = new History(database)
  const commits = new GroupCommit(database, history, new Writer(database, history), ask.path)
  const pruning = new Pruning(database, history)
  store = { path: ask.path, database, history, commits, pruning }
  pruning.start()
  const epoch = database.prepare("SELECT value FROM meta WHERE name = 'epoch'").get()?.value
  const leases = database.prepare('SELECT id, ttlMs FROM leases').all()
  return {
    epoch: String(epoch),
    revision: history.revision,
    compactedRevision: history.compactedRevision,
    leases: leases.map(({ id, ttlMs }): Lease => ({ id: String(id), ttlMs: Number(ttlMs) })),
  }
}

function commit(group: PackedGroup): PackedAnswer {
  const entries = unpackGroup(group)
  return packAnswer(entries, opened().commits.run(entries, group.previous), group.previous)
}

function close(): void {
  store?.pruning.stop(
    storeError('store.closed', 'compact: the store was closed; the rest is done after the next start'),
  )
  store?.database.close()
  store = undefined
}

function opened(): OpenStore {
  if (failure) throw failure
  if (!store) throw storeError('store.closed', 'the store is not open')
  return store
}

function failed(thrown: unknown, name: RequestName): StoreError {
  const error = fromSqlite(thrown, name, store?.path ?? 'the store')
  if (isFatal(error)) failure ??= error
  return error
}

async function answer({ id, name, ask }: RequestMessage): Promise<void> {
  let message: AnswerMessage
  try {
    const handler = handlers[name] as (ask: unknown) => unknown
    const result = handler(ask)
    // No turn of the event loop for what is done at once: answers must leave in the order of the requests.
    message = { id, answer: result instanceof Promise ? await result : result }
  } catch (error) {
    message = { id, error: serializeError(failed(error, name)) }
  }
  parentPort?.postMessage(message)
}

parentPort?.on('message', (message: RequestMessage) => void answer(message))
