import type { Instance } from '@berth/core'
import { poolId, type State, type StateChange } from '../records/index.ts'

/**
 * Which revision made an instance active in the routes, since the last table: its own record's (it runs, it has an address), its status's
 * (it is ready), or else what changed about its pool. Before the first table only the records' own revisions are known.
 */
export class ActivityFlips {
  readonly #state: State
  readonly #instances = new Map<string, number>()
  readonly #pools = new Map<string, number>()
  #isFirst = true

  constructor(state: State) {
    this.#state = state
  }

  note(change: StateChange): void {
    if (isFlip(change)) this.#instances.set(change.id, change.revision)
    else if (change.kind === 'pools') this.#pools.set(change.id, change.revision)
  }

  /** undefined: none of these. */
  of(id: string): number | undefined {
    const { instances, statuses } = this.#state
    if (this.#isFirst) return Math.max(instances.modRevision(id), statuses.modRevision(id))
    const instance = instances.get(id)
    return this.#instances.get(id) ?? (instance === undefined ? undefined : this.#pools.get(poolOf(instance)))
  }

  /** A table has taken in all of it. */
  clear(): void {
    this.#isFirst = false
    this.#instances.clear()
    this.#pools.clear()
  }
}

const poolOf = ({ app, pool }: Instance): string => poolId(app, pool)

function isFlip(change: StateChange): boolean {
  if (change.kind === 'statuses') return change.before?.ready !== change.after?.ready
  if (change.kind !== 'instances') return false
  const { before, after } = change
  return before?.desired !== after?.desired || before?.address !== after?.address
}
