import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { isStoreError } from './store-error.ts'

export interface CompactionPolicy {
  /** How far back a watch can resume, while there are not too many revisions. */
  readonly keepMs: number
  readonly keepRevisions: number
}

export const defaultCompactionPolicy: CompactionPolicy = { keepMs: 600_000, keepRevisions: 100_000 }

/** The store was at `revision` at `atMs`. */
export interface RevisionSample {
  readonly revision: number
  readonly atMs: number
}

/** The revision to compact to: what both bounds of the policy let go. 0 when there is nothing to drop. */
export function compactionTarget(
  samples: readonly RevisionSample[],
  now: RevisionSample,
  { keepMs, keepRevisions }: CompactionPolicy,
): number {
  const old = samples.findLast(({ atMs }) => atMs <= now.atMs - keepMs)
  return Math.max(old?.revision ?? 0, now.revision - keepRevisions, 0)
}

export interface AutoCompactionOptions {
  readonly policy: CompactionPolicy
  readonly revision: () => number
  readonly compact: (revision: number) => Promise<void>
  readonly signal: AbortSignal
  readonly log: Logger
}

/** Runs until `signal` aborts. Times are monotonic and in memory: after a start, history is kept for the full time again. */
export async function runAutoCompaction({
  policy,
  revision,
  compact,
  signal,
  log,
}: AutoCompactionOptions): Promise<void> {
  let samples: RevisionSample[] = []
  let compacted = 0
  const everyMs = Math.min(10_000, policy.keepMs / 10)
  while (await elapsed(everyMs, signal)) {
    const now: RevisionSample = { revision: revision(), atMs: performance.now() }
    const target = compactionTarget(samples, now, policy)
    samples = [...samples.filter((sample) => sample.revision > target), now]
    if (target <= compacted) continue
    try {
      await compact(target)
      compacted = target
      log.debug({ revision: target }, 'compacted the store')
    } catch (error) {
      if (signal.aborted || isStoreError(error, 'store.closed')) return
      log.warn({ err: error, revision: target }, 'could not compact the store; trying again')
    }
  }
}

/** False when aborted. Does not keep the process alive. */
async function elapsed(ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await sleep(ms, undefined, { signal, ref: false })
    return true
  } catch {
    return false
  }
}
