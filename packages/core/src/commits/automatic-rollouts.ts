import type { Build } from '../model/build.ts'
import type { Pipeline } from '../model/pipeline.ts'
import type { Rollout } from '../model/rollout.ts'
import { type AppHistory, hasSucceeded } from './promotion.ts'
import { releaseNumberOf } from './release-number.ts'
import { isSameVersion } from './same-version.ts'

export interface AutomaticRollout {
  readonly pool: string
  readonly release: string
  /** Whose push made it; absent: it is promoted. */
  readonly build?: string
  readonly from?: string
}

/**
 * What a pipeline rolls out by itself now: to the environment of its pushes the newest that one has made, and to each automatic environment
 * what has succeeded in the one before. Never what has been tried there before, never over a rollout that holds the pool, never what people
 * have decided about since.
 */
export function automaticRollouts(
  pipeline: Pipeline,
  history: AppHistory,
  builds: readonly Build[],
): AutomaticRollout[] {
  return [...deployed(history, builds), ...promoted(pipeline, history)].filter(
    ({ pool, release }) => isFree(history, pool) && !wasTried(history, pool, release) && isPassed(history, release),
  )
}

/** One a pool: the newest release that pushes have made for it. */
function deployed(history: AppHistory, builds: readonly Build[]): AutomaticRollout[] {
  const newest = new Map<string, Build>()
  for (const build of builds) {
    const pool = build.trigger?.deploy
    if (pool === undefined || build.state !== 'succeeded' || build.release === undefined) continue
    const other = newest.get(pool)?.release
    if (other === undefined || releaseNumberOf(build.release) >= releaseNumberOf(other)) newest.set(pool, build)
  }
  return [...newest].flatMap(([pool, build]) => {
    const { release = '', endedAt = build.createdAt } = build
    return isDecidedSince(history, pool, endedAt) ? [] : [{ pool, release, build: build.id }]
  })
}

function promoted({ environments, automatic }: Pipeline, history: AppHistory): AutomaticRollout[] {
  return automatic.flatMap((pool) => {
    const from = environments[environments.indexOf(pool) - 1]
    const before = from === undefined ? undefined : history.pool(from)
    if (from === undefined || before?.release === undefined || before.rollout !== undefined) return []
    // What was gone back to in the one before is no news for this one.
    const last = newestOf(history.rollouts(from).filter(({ reason }) => reason !== 'restart'))
    if (last?.state !== 'succeeded' || last.reason !== 'deploy' || last.to !== before.release) return []
    if (isDecidedSince(history, pool, last.endedAt ?? last.updatedAt)) return []
    return hasSucceeded(history, from, before.release) ? [{ pool, release: before.release, from }] : []
  })
}

const isFree = (history: AppHistory, pool: string): boolean => {
  const current = history.pool(pool)
  return current?.rollout === undefined && current?.removing !== true
}

/** It runs there, or what is the same does, or a rollout to it was begun, whatever became of that. */
function wasTried(history: AppHistory, pool: string, id: string): boolean {
  if (history.rollouts(pool).some(({ to }) => to === id)) return true
  const current = history.pool(pool)?.release
  const [running, release] = [current === undefined ? undefined : history.release(current), history.release(id)]
  return running !== undefined && release !== undefined && isSameVersion(running, release)
}

const isDecidedSince = (history: AppHistory, pool: string, since: number): boolean =>
  history.rollouts(pool).some(({ reason, createdAt }) => reason !== 'restart' && createdAt > since)

function isPassed(history: AppHistory, id: string): boolean {
  const release = history.release(id)
  return release !== undefined && (release.tests === undefined || release.tests.state === 'passed')
}

const newestOf = (rollouts: readonly Rollout[]): Rollout | undefined =>
  rollouts.reduce<Rollout | undefined>(
    (newest, each) => (newest === undefined || each.createdAt >= newest.createdAt ? each : newest),
    undefined,
  )
