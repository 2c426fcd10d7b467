import type { Pool } from '@berth/core'
import type { PoolWork } from './pool-work.ts'

/**
 * The ordinals of all that a plan creates, taken at once: a plan of many commits then writes the pool's record in the first one only,
 * and does not keep people from changing it. Those of a plan that is given up midway are left out for good.
 */
export class Ordinals {
  /** The pool's next ones after this plan. */
  readonly next: Pool['nextOrdinal']
  readonly #taken: Record<string, number>

  constructor(before: Pool['nextOrdinal'], work: readonly PoolWork[]) {
    this.#taken = { ...before }
    const next: Record<string, number> = { ...before }
    const creations = work.flatMap((step) => (step.type === 'create' ? [step.entrypoint] : []))
    for (const entrypoint of creations) next[entrypoint] = (next[entrypoint] ?? 1) + 1
    this.next = creations.length === 0 ? before : next
  }

  take(entrypoint: string): number {
    const ordinal = this.#taken[entrypoint] ?? 1
    this.#taken[entrypoint] = ordinal + 1
    return ordinal
  }
}
