import {
  type AppSpec,
  type HookAnswer,
  type HookWhen,
  hookId,
  hookText,
  messageOf,
  type Pool,
  type Rollout,
  type StageHookSpec,
  stageUnderWay,
} from '@berth/core'
import type { Logger } from 'pino'
import { poolId, type State } from '../records/index.ts'
import { callHook, type HookCall } from './call-hook.ts'
import { type HookTargets, hookTargetOf } from './hook-targets.ts'

export interface HookCallsOptions {
  readonly state: State
  readonly targets: Pick<HookTargets, 'secretOf'>
  readonly log: Logger
  /** One has been answered. */
  readonly onChange: (pool: string) => void
  readonly call?: (call: HookCall) => Promise<HookAnswer>
}

interface Under {
  readonly pool: string
  readonly rollout: string
  readonly abort: AbortController
  answer?: HookAnswer
}

interface Wanted {
  readonly id: string
  readonly when: HookWhen
  readonly spec: StageHookSpec & { readonly type: 'url' }
  readonly stage: number
}

/**
 * Calls the URLs of hooks that their rollouts' records say are running, once each. What came of it is kept in memory until it is on
 * record; a server that takes over meanwhile finds them running and calls them again, by the same ids.
 */
export class HookCalls implements AsyncDisposable {
  readonly #options: HookCallsOptions
  readonly #calls = new Map<string, Under>()
  readonly #underWay = new Set<Promise<void>>()

  constructor(options: HookCallsOptions) {
    this.#options = options
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { abort } of this.#calls.values()) abort.abort()
    await Promise.allSettled(this.#underWay)
  }

  /** What came of the hooks of the stage under way, by their ids. While it is paused none begins. */
  look(pool: Pool, rollout: Rollout, spec: AppSpec | undefined): ReadonlyMap<string, HookAnswer> {
    const id = poolId(pool.app, pool.name)
    const wanted = runningHooks(rollout, spec)
    this.#forget(id, new Set(wanted.map((each) => each.id)))
    if (rollout.state === 'running') for (const each of wanted) this.#begin(id, rollout, each)
    const answers = new Map<string, HookAnswer>()
    for (const each of wanted) {
      const answer = this.#calls.get(each.id)?.answer
      if (answer !== undefined) answers.set(each.id, answer)
    }
    return answers
  }

  #begin(pool: string, rollout: Rollout, wanted: Wanted): void {
    if (this.#calls.has(wanted.id)) return
    const { state, targets, log, onChange, call = callHook } = this.#options
    const under: Under = { pool, rollout: rollout.id, abort: new AbortController() }
    this.#calls.set(wanted.id, under)
    const { url, timeoutMs } = wanted.spec
    const work = (async (): Promise<HookAnswer> => {
      const target = hookTargetOf(state, url)
      if (target === undefined) return { ok: false, message: 'no admin allows it (berth hook allow)' }
      const secret = targets.secretOf(target)
      const body = bodyOf(state, rollout, wanted)
      return await call({ id: wanted.id, url, secret, body, timeoutMs, signal: under.abort.signal })
    })()
      .catch((error: unknown): HookAnswer => ({ ok: false, message: messageOf(error) }))
      .then((answer) => {
        if (under.abort.signal.aborted) return
        under.answer = answer
        log.info({ pool, rollout: rollout.id, hook: wanted.id }, `hook ${hookText(wanted.spec)}: ${answer.message}`)
        onChange(pool)
      })
      .finally(() => {
        this.#underWay.delete(work)
        // Nobody looks at what has ended meanwhile.
        if (state.rollouts.get(rollout.id)?.endedAt !== undefined) this.#calls.delete(wanted.id)
      })
    this.#underWay.add(work)
  }

  #forget(pool: string, kept: ReadonlySet<string>): void {
    for (const [id, under] of this.#calls) {
      if (under.pool !== pool || kept.has(id)) continue
      under.abort.abort()
      this.#calls.delete(id)
    }
  }
}

/** Of the stage under way, unless the rollout goes back. */
function runningHooks(rollout: Rollout, spec: AppSpec | undefined): Wanted[] {
  const index = rollout.state === 'running' || rollout.state === 'paused' ? stageUnderWay(rollout) : undefined
  const stage = index === undefined ? undefined : rollout.stages?.[index]
  if (index === undefined || stage === undefined) return []
  const found: Wanted[] = []
  for (const when of ['before', 'after'] as const)
    for (const [place, { state }] of (stage[when] ?? []).entries()) {
      const hook = spec?.rollout.stages?.[index]?.[when]?.[place]
      if (state !== 'running' || hook?.type !== 'url') continue
      found.push({ id: hookId(rollout.id, index, when, place), when, spec: hook, stage: index })
    }
  return found
}

/** What whoever is called learns; docs/guides/releases.md says so. */
function bodyOf(state: State, rollout: Rollout, { id, when, stage }: Wanted): object {
  const { app, pool, from, to, createdBy, stages = [] } = rollout
  const release = state.releases.find(app, to)
  return {
    ...{ hook: id, when, rollout: rollout.id, app, pool, from, to, by: createdBy },
    ...{ commit: release?.commit, subject: release?.subject, image: release?.image },
    stage: { number: stage + 1, of: stages.length, name: stages[stage]?.name },
  }
}
