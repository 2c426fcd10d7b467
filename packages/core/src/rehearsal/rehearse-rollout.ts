import type { AppSpec, Rollout } from '../model/index.ts'
import { decidePool } from '../reconcile/decide-pool.ts'
import { serviceNames } from '../reconcile/plan-entrypoints.ts'
import type { PoolSnapshot, PoolStep } from '../reconcile/pool-snapshot.ts'
import { defaultPatience } from '../reconcile/retire.ts'
import { stageUnderWay } from '../rollout/stage-under-way.ts'
import { newStages } from '../rollout/stages.ts'
import { type RehearsalNodes, RehearsedPool } from './rehearsed-pool.ts'
import { type RehearsedStage, StageNotes } from './stage-notes.ts'

export interface RehearsedRollout {
  /** One for each of the rollout's that is reached; one about everything where it has none. */
  readonly stages: readonly RehearsedStage[]
  /** `done`: it succeeds. `stuck`: it would wait in vain, or go back. `long`: it was not gone through to its end. */
  readonly end: 'done' | 'stuck' | 'long'
  /** Instances that find no place, and why. */
  readonly unplaced: readonly { readonly entrypoint: string; readonly refused: string }[]
  /** Node of each new instance that is there at the end, by entrypoint, in the order in which they were created. */
  readonly slots: Readonly<Record<string, readonly string[]>>
}

/** So many looks at an instance take less than a second. */
const mostLooks = 60_000
const foreverMs = 365 * 24 * 3_600_000

/**
 * Goes through a rollout that has just begun on a copy of the cluster: what to do is decided by {@link decidePool} itself, and places are found by whoever
 * finds them for rollouts. Everything goes well in it: images are there, gates pass, hooks and jobs end at once, nodes do what they are told, and nobody
 * else wants anything. What starts takes longer than what ends, and what was begun together is ready together.
 */
export function rehearseRollout(begun: PoolSnapshot, nodes: RehearsalNodes, now: number): RehearsedRollout {
  const run = new Run(begun, nodes, now)
  for (let looks = 0; looks < mostLooks; looks += run.size + 1) {
    const end = run.step()
    if (end !== undefined) return run.outcome(end)
  }
  return run.outcome('long')
}

class Run {
  readonly #pool: RehearsedPool
  readonly #names: readonly string[]
  readonly #newNotes: () => StageNotes
  readonly #stages: StageNotes[] = []

  constructor(begun: PoolSnapshot, nodes: RehearsalNodes, now: number) {
    const base = withoutWaits(begun)
    const { rollout, specs } = base
    this.#pool = new RehearsedPool(base, nodes, now)
    this.#names = [...new Set([rollout?.from, rollout?.to].flatMap((id) => serviceNames(specs.get(id ?? ''))))].sort()
    this.#newNotes = () => new StageNotes(nodes.usedOn)
  }

  get size(): number {
    return this.#pool.instances.size
  }

  /** One decision, and what comes of it. */
  step(): RehearsedRollout['end'] | undefined {
    const pool = this.#pool
    const { steps, nextAt } = decidePool(pool.snapshot(), pool.now)
    const notes = this.#notes()
    this.#count(notes)
    for (const each of steps) this.#apply(each, notes)
    this.#count(notes)
    if (pool.rollout?.endedAt !== undefined) return pool.rollout.state === 'succeeded' ? 'done' : 'stuck'
    if (pool.rollout?.state !== 'running') return 'stuck'
    const placed = pool.placeWaiting()
    for (const each of placed) notes.created(each)
    if (pool.happen('quick') || placed.length + steps.length > 0) return this.#count(notes)
    // Names of what has left expire sooner than something new is ready.
    const isSoon = nextAt !== undefined && nextAt <= pool.now + defaultPatience.nameTtlMs
    if (!isSoon && pool.happen('ready')) return this.#count(notes)
    if (nextAt === undefined) return 'stuck'
    pool.now = Math.max(nextAt, pool.now + 1)
    return undefined
  }

  outcome(end: RehearsedRollout['end']): RehearsedRollout {
    const { rollout } = this.#pool
    const slots = Object.fromEntries(this.#names.map((name): [string, string[]] => [name, []]))
    for (const { instance } of this.#pool.instances.values())
      if (instance.generation === rollout?.toGeneration && instance.desired === 'run' && instance.node !== undefined)
        slots[instance.entrypoint]?.push(instance.node)
    const unplaced = this.#pool
      .unplaced()
      .map(({ instance, refused }) => ({ entrypoint: instance.entrypoint, refused }))
    return { stages: this.#stages.map(({ stage }) => stage), end, unplaced, slots }
  }

  #apply(step: PoolStep, notes: StageNotes): void {
    const before = 'instance' in step ? this.#pool.instances.get(step.instance)?.instance : undefined
    if ((step.type === 'drain' || step.type === 'stop') && before?.desired === 'run') notes.left(before)
    const created = this.#pool.apply(step)
    notes.created(created)
  }

  #count(notes: StageNotes): undefined {
    notes.count(this.#names, this.#pool.instances.values())
  }

  #notes(): StageNotes {
    const index = stageUnderWay({ stages: this.#pool.rollout?.stages ?? [] }) ?? Math.max(0, this.#stages.length - 1)
    while (this.#stages.length <= index) this.#stages.push(this.#newNotes())
    return this.#stages[index] as StageNotes
  }
}

/** Gates, hooks and jobs hold a rollout up, and change nothing about its places. */
function withoutWaits(begun: PoolSnapshot): PoolSnapshot {
  const { rollout } = begun
  if (rollout === undefined)
    throw new Error(`rehearse a rollout of ${begun.pool.app}/${begun.pool.name}: there is none`)
  const spec = begun.specs.get(rollout.to)
  if (spec === undefined) throw new Error(`rehearse ${rollout.id}: its release ${rollout.to} is not known`)
  const stages = spec.rollout.stages?.map(({ grow: _, before: _before, after: _after, ...stage }) => ({
    ...stage,
    gates: [],
  }))
  // However long all that ends takes, nothing fails for being ready too late.
  const entrypoints = Object.fromEntries(
    Object.entries(spec.entrypoints).map(([name, each]) => [name, { ...each, readyTimeoutMs: foreverMs }]),
  )
  const plainRollout = { ...spec.rollout, before: [], ...(stages === undefined ? {} : { stages }) }
  const plain: AppSpec = { ...spec, entrypoints, rollout: plainRollout }
  const { stages: _, ...rest } = rollout
  const going: Rollout = {
    ...rest,
    state: 'running',
    ...(rollout.stages && stages ? { stages: newStages(stages) } : {}),
  }
  return { ...begun, rollout: going, specs: new Map([...begun.specs, [rollout.to, plain]]) }
}
