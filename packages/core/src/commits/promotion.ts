import type { Pipeline } from '../model/pipeline.ts'
import type { Release } from '../model/release.ts'
import type { Rollout } from '../model/rollout.ts'
import { closest } from '../spec/closest.ts'
import { isSameVersion } from './same-version.ts'

/** Of one app, what promotions are decided by. */
export interface AppHistory {
  release(id: string): Release | undefined
  /** What the pool runs, and the rollout that holds it; undefined: there is no such pool. */
  pool(name: string): { readonly release?: string; readonly rollout?: string; readonly removing?: boolean } | undefined
  rollouts(pool: string): readonly Rollout[]
}

export interface PromotionRequest {
  readonly from?: string | undefined
  readonly to?: string | undefined
  /** `v7` */
  readonly release?: string | undefined
}

export type PromotionProblem =
  | 'promotion.no-chain'
  | 'promotion.not-in-chain'
  | 'promotion.not-next'
  | 'promotion.nothing'
  | 'promotion.not-succeeded'

export interface PromotionSteps {
  readonly from: string
  readonly to: string
  readonly release: string
}

export type PromotionPlan =
  | ({ readonly ok: true } & PromotionSteps)
  | {
      readonly ok: false
      readonly code: PromotionProblem
      readonly message: string
      /** What would be done all the same for who insists. */
      readonly forced?: PromotionSteps
    }

const refused = (code: PromotionProblem, message: string, forced?: PromotionSteps): PromotionPlan => ({
  ...{ ok: false, code, message },
  ...(forced === undefined ? {} : { forced }),
})

/**
 * What is promoted from where to where. Said in part or not at all, it is the furthest that can move: what was tested longest goes first.
 */
export function planPromotion(
  { app, environments }: Pick<Pipeline, 'app' | 'environments'>,
  history: AppHistory,
  request: PromotionRequest,
): PromotionPlan {
  const chain = environments.join(' → ')
  if (environments.length < 2)
    return refused(
      'promotion.no-chain',
      `promote ${app}: its pipeline has no chain of environments; set one: berth pipeline set ${app} --environments test,staging,production`,
    )
  for (const name of [request.from, request.to]) {
    if (name === undefined || environments.includes(name)) continue
    const near = closest(name, environments)
    const hint = near === undefined ? '' : `; did you mean ${near}?`
    return refused('promotion.not-in-chain', `promote ${app}: ${name} is not in its chain ${chain}${hint}`)
  }
  const places = placesOf(environments, history, request)
  if (places === undefined)
    return refused(
      'promotion.nothing',
      `promote ${app}: there is nothing to promote in ${chain}; berth releases ${app} shows what runs where`,
    )
  const { from, to } = places
  const between = environments.slice(environments.indexOf(from) + 1, environments.indexOf(to))
  if (environments.indexOf(to) <= environments.indexOf(from))
    return refused(
      'promotion.not-next',
      `promote ${app} from ${from} to ${to}: ${to} does not come after ${from} in ${chain}`,
    )
  const release = request.release ?? history.pool(from)?.release
  if (release === undefined || history.release(release) === undefined)
    return refused('promotion.nothing', `promote ${app} from ${from} to ${to}: nothing runs in ${from} yet`)
  const steps = { from, to, release }
  if (between.length > 0)
    return refused(
      'promotion.not-next',
      `promote ${app} from ${from} to ${to}: ${between.join(', ')} would be left out of ${chain}`,
      steps,
    )
  if (hasSucceeded(history, from, release)) return { ok: true, ...steps }
  return refused(
    'promotion.not-succeeded',
    `promote ${app} ${release} to ${to}: it has not succeeded in ${from}; roll it out there first, or insist with --force --reason`,
    steps,
  )
}

function placesOf(
  environments: readonly string[],
  history: AppHistory,
  { from, to, release }: PromotionRequest,
): { readonly from: string; readonly to: string } | undefined {
  if (from !== undefined && to !== undefined) return { from, to }
  if (to !== undefined) {
    const before = environments[environments.indexOf(to) - 1]
    return before === undefined ? undefined : { from: before, to }
  }
  if (from !== undefined) {
    const next = environments[environments.indexOf(from) + 1]
    return next === undefined ? undefined : { from, to: next }
  }
  for (let index = environments.length - 2; index >= 0; index -= 1) {
    const [first, second] = [environments[index] ?? '', environments[index + 1] ?? '']
    const runs = release ?? history.pool(first)?.release
    if (runs === undefined || isThere(history, second, runs)) continue
    if (release === undefined || hasSucceeded(history, first, release)) return { from: first, to: second }
  }
  return undefined
}

/** A rollout of it, or of what is byte for byte the same, came to its end there. */
export function hasSucceeded(history: AppHistory, pool: string, release: string): boolean {
  return history.rollouts(pool).some(({ state, to }) => state === 'succeeded' && isSame(history, to, release))
}

const isThere = (history: AppHistory, pool: string, release: string): boolean => {
  const current = history.pool(pool)?.release
  return current !== undefined && isSame(history, current, release)
}

function isSame(history: AppHistory, a: string, b: string): boolean {
  if (a === b) return true
  const [first, second] = [history.release(a), history.release(b)]
  return first !== undefined && second !== undefined && isSameVersion(first, second)
}

/** The environment that a release has to have succeeded in before it goes to this one; undefined: it may. */
export function missingStage(
  pipeline: Pick<Pipeline, 'environments'> | undefined,
  history: AppHistory,
  pool: string,
  release: string,
): string | undefined {
  const before = pipeline?.environments[(pipeline?.environments.indexOf(pool) ?? 0) - 1]
  return before === undefined || hasSucceeded(history, before, release) ? undefined : before
}
