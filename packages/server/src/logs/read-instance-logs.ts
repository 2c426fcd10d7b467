import { setTimeout as delay } from 'node:timers/promises'
import type { LogLine } from '@berth/api'
import { BerthError, type Instance, messageOf } from '@berth/core'
import type { AgentLinks } from '../agents/agent-links.ts'
import { requireApp, requireEntrypoint, requirePool } from '../controllers/operations/lookup.ts'
import type { State } from '../records/index.ts'
import { TimeMerge } from './merge-by-time.ts'

export interface LogQuery {
  readonly app?: string | undefined
  readonly pool?: string | undefined
  readonly entrypoint?: string | undefined
  /** An instance's id, or its name (`web-4`). */
  readonly instance?: string | undefined
  readonly follow?: boolean | undefined
  /** Last lines of each instance. */
  readonly tail?: number | undefined
  readonly sinceMs?: number | undefined
  /** Only lines that contain this text. */
  readonly grep?: string | undefined
}

export interface ReadLogsOptions {
  readonly state: State
  readonly agents: Pick<AgentLinks, 'logs'>
  readonly query: LogQuery
  readonly signal: AbortSignal
}

const holdMs = 150
const retryMs = 1_000
const lookMs = 50

/**
 * Lines of all matching instances in order of time. Following takes in instances that come later and goes on over lost links; it ends
 * with the caller, or with the instance when a single one was named. An instance whose agent cannot be asked is said in a line of the
 * system. Throws when nothing can match.
 */
export function readInstanceLogs(options: ReadLogsOptions): AsyncIterable<LogLine> {
  const { state, query } = options
  const follow = query.follow === true
  const first = state.instances.all().filter((instance) => matchesLogs(instance, query))
  if (first.length === 0) requireSomething(state, query)
  return filtered(follow ? followAll(options, first) : readOnce(options, first), query.grep)
}

async function* readOnce(options: ReadLogsOptions, instances: readonly Instance[]): AsyncGenerator<LogLine> {
  const merge = new TimeMerge<LogLine>()
  for (const instance of instances) if (instance.node !== undefined) merge.add(linesOf(options, instance.id))
  yield* merge.items()
}

async function* followAll(options: ReadLogsOptions, first: readonly Instance[]): AsyncGenerator<LogLine> {
  const { state, query, signal } = options
  const known = new Set<string>()
  // One that was named and has no node yet (a job that was just asked for) is waited for.
  const isAwaited = (): boolean => known.size === 0 && first.some((each) => state.instances.has(each.id))
  const isOpen = (): boolean => !signal.aborted && (query.instance === undefined || isAwaited())
  const merge = new TimeMerge<LogLine>({ holdMs, isOpen })
  const add = (instance: Instance, isNew: boolean): void => {
    if (known.has(instance.id) || instance.node === undefined) return
    known.add(instance.id)
    // Of a new one everything is wanted, however few lines were asked for of those that were there.
    const lines = isNew ? { ...options, query: { ...query, tail: undefined } } : options
    merge.add(linesOf(lines, instance.id))
  }
  const stop = state.changes.subscribe((change) => {
    if (change.kind === 'instances' && change.after !== undefined && matchesLogs(change.after, query))
      add(change.after, true)
    if (change.kind !== 'instances' || change.after !== undefined) return
    known.delete(change.id)
    merge.poke()
  })
  const onAbort = (): void => merge.poke()
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    for (const instance of first) add(instance, false)
    yield* merge.items()
  } finally {
    stop()
    signal.removeEventListener('abort', onAbort)
  }
}

/** One instance's lines; while following, a lost link is dialled again until the instance is gone. Never throws. */
async function* linesOf({ state, agents, query, signal }: ReadLogsOptions, id: string): AsyncGenerator<LogLine> {
  const { follow, tail, sinceMs } = query
  const place = new Place()
  let lost = false
  while (!signal.aborted) {
    const node = state.instances.get(id)?.node
    if (node === undefined) return
    if (follow === true && !(await isKnownToNode(state, id, signal))) return
    const from = lost ? { sinceMs: place.at ?? sinceMs } : { tail, sinceMs }
    try {
      for await (const line of place.skipSeen(agents.logs(node, id, { follow, signal, ...from }))) yield line
      return
    } catch (error) {
      if (signal.aborted) return
      if (!lost || follow !== true) yield systemLine(id, `logs of ${id} on ${node}: ${messageOf(error)}`)
      if (follow !== true || !(error instanceof BerthError) || !error.retryable) return
      lost = true
      await delay(retryMs, undefined, { signal }).catch(() => undefined)
    }
  }
}

/** An instance that was just placed has not reached its node; the first report says that it has. False: it is gone before. */
async function isKnownToNode(state: State, id: string, signal: AbortSignal): Promise<boolean> {
  while (!signal.aborted && state.instances.has(id)) {
    if (state.statuses.has(id)) return true
    await delay(lookMs, undefined, { signal }).catch(() => undefined)
  }
  return false
}

/** How far a log was read: up to the `count`-th line of millisecond `at`. */
class Place {
  at: number | undefined
  #count = 0

  async *skipSeen(lines: AsyncIterable<LogLine>): AsyncGenerator<LogLine> {
    let skip = this.at === undefined ? 0 : this.#count
    for await (const line of lines) {
      if (line.at === this.at && skip > 0) {
        skip -= 1
        continue
      }
      this.#count = line.at === this.at ? this.#count + 1 : 1
      this.at = line.at
      yield line
    }
  }
}

const systemLine = (instance: string, line: string): LogLine => ({ at: Date.now(), instance, stream: 'system', line })

function matchesLogs(instance: Instance, query: LogQuery): boolean {
  const { app, pool, entrypoint } = query
  if (app !== undefined && instance.app !== app) return false
  if (pool !== undefined && instance.pool !== pool) return false
  if (entrypoint !== undefined && instance.entrypoint !== entrypoint) return false
  if (query.instance === undefined) return true
  return instance.id === query.instance || `${instance.entrypoint}-${instance.ordinal}` === query.instance
}

/** An empty answer would look like a silent app. */
function requireSomething(state: State, query: LogQuery): void {
  if (query.instance !== undefined) {
    throw new BerthError('instance.not-found', `no instance ${query.instance}; \`berth ps\` lists them`)
  }
  if (query.app !== undefined && query.pool !== undefined) {
    const pool = requirePool(state, query.app, query.pool)
    if (query.entrypoint !== undefined) requireEntrypoint(state, pool, query.entrypoint)
  } else if (query.app !== undefined) requireApp(state, query.app)
  if (query.follow === true) return
  throw new BerthError('instance.not-found', 'no instance matches; `berth ps` lists them, --follow waits for the first')
}

async function* filtered(lines: AsyncIterable<LogLine>, text: string | undefined): AsyncGenerator<LogLine> {
  for await (const line of lines) {
    if (text === undefined || line.stream === 'system' || line.line.includes(text)) yield line
  }
}
