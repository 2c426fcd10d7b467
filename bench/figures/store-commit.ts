import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { openSqliteStore } from '@berth/server/store/sqlite/sqlite-store'
import type { Store } from '@berth/server/store/store'
import { pino } from 'pino'
import { type Figure, type FigureContext, type FigureResult, median, percentile } from '../figure.ts'

const writers = 64
const valueBytes = 300
const pairs = 7
const sampleMs = 1_000
const watchedCommits = 500
const minimumRatio = 1.5

/**
 * What group commit is worth: 64 writers at once, each with its own transaction, revision and history, against plain SQLite
 * in the same thread with one row a transaction. Both are on the disk (`synchronous=FULL`) when a commit returns, in the same
 * directory, measured in turns.
 */
export const figure: Figure = {
  name: 'store-commit',
  description: `commits of ${valueBytes} bytes by ${writers} writers at once, each on the disk when acknowledged`,
  unit: 'commits/s',
  peer: 'plain SQLite, one row a transaction',
  target: `>= ${minimumRatio}`,
  run,
}

async function run({ signal, log }: FigureContext): Promise<FigureResult> {
  const directory = await mkdtemp('/var/tmp/berth-bench-store-') // not /tmp, which may be memory
  try {
    await using store = await openSqliteStore({
      path: join(directory, 'store.db'),
      log: pino({ level: 'silent' }),
      signal,
    })
    using plain = new PlainSqlite(join(directory, 'plain.db'))
    const samples: { ours: number; peer: number }[] = []
    for (let pair = 1; pair <= pairs && !signal.aborted; pair++) {
      samples.push({ ours: await commitsPerSecond(store, writers), peer: plain.commitsPerSecond() })
      log(`pair ${pair} of ${pairs}`)
    }
    const ratio = median(samples.map(({ ours, peer }) => ours / peer))
    const ours = samples.map((sample) => sample.ours)
    const peer = median(samples.map((sample) => sample.peer))
    return {
      ours: median(ours),
      peer,
      ratio,
      ok: ratio >= minimumRatio,
      samples: ours,
      notes: await notesOn(store, signal),
    }
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

async function commitsPerSecond(store: Store, concurrency: number): Promise<number> {
  const startMs = performance.now()
  const endMs = startMs + sampleMs
  let commits = 0
  const writer = async (index: number) => {
    for (; performance.now() < endMs; commits++) await putOne(store, `/bench/${index}/${commits % 10_000}`)
  }
  await Promise.all(Array.from({ length: concurrency }, (_, index) => writer(index)))
  return (commits / (performance.now() - startMs)) * 1_000
}

const value = 'x'.repeat(valueBytes)

const putOne = (store: Store, key: string) => store.commit({ operations: [{ type: 'put', key, value }] })

class PlainSqlite implements Disposable {
  readonly #database: DatabaseSync

  constructor(path: string) {
    this.#database = new DatabaseSync(path)
    this.#database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA locking_mode = EXCLUSIVE')
    this.#database.exec('CREATE TABLE keys (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID, STRICT')
  }

  commitsPerSecond(): number {
    const put = this.#database.prepare('INSERT OR REPLACE INTO keys VALUES (?, ?)')
    const startMs = performance.now()
    let commits = 0
    for (; performance.now() < startMs + sampleMs; commits++) put.run(`/bench/${commits % 10_000}`, value)
    return (commits / (performance.now() - startMs)) * 1_000
  }

  [Symbol.dispose](): void {
    this.#database.close()
  }
}

async function notesOn(store: Store, signal: AbortSignal): Promise<string[]> {
  const alone = await commitsPerSecond(store, 1)
  const { acknowledgedMs, watchedMs } = await latencies(store, signal)
  const both = (values: readonly number[]) =>
    `p50 ${percentile(values, 50).toFixed(2)} ms, p99 ${percentile(values, 99).toFixed(2)} ms`
  return [
    `one writer alone: ${alone.toFixed(0)} commits/s`,
    `commit called to acknowledged, one writer: ${both(acknowledgedMs)}`,
    `commit called to seen by a watch, one writer: ${both(watchedMs)}`,
  ]
}

async function latencies(store: Store, signal: AbortSignal) {
  const calledMs: number[] = []
  const acknowledgedMs: number[] = []
  const watchedMs: number[] = []
  const { revision } = await store.get('/bench')
  const watching = (async () => {
    for await (const { changes } of store.watch('/watched/', { fromRevision: revision + 1, signal })) {
      for (const _ of changes) watchedMs.push(performance.now() - (calledMs[watchedMs.length] as number))
      if (watchedMs.length === watchedCommits) return
    }
  })()
  for (let index = 0; index < watchedCommits && !signal.aborted; index++) {
    calledMs.push(performance.now())
    await putOne(store, `/watched/${index}`)
    acknowledgedMs.push(performance.now() - (calledMs[index] as number))
  }
  await watching
  return { acknowledgedMs, watchedMs }
}
