import type { Instance } from '@berth/core'
import type { State, StateChange } from '../records/index.ts'

/**
 * Who displaces whom, as the records of those that wait say it: nothing else has to be written down, and a server that starts knows it
 * again. One that does not want to run any more displaces nobody.
 */
export class Displacements implements Disposable {
  readonly #state: State
  readonly #displacers = new Map<string, Set<string>>()
  readonly #unsubscribe: () => void

  constructor(state: State) {
    this.#state = state
    for (const instance of state.instances.values()) this.#enter(instance, true)
    this.#unsubscribe = state.changes.subscribe((change) => this.#onChange(change))
  }

  [Symbol.dispose](): void {
    this.#unsubscribe()
  }

  /** The one for which an instance has to leave. */
  displacerOf(victim: string): Instance | undefined {
    const displacers = this.#displacers.get(victim)
    if (displacers === undefined) return undefined
    for (const id of displacers) {
      const displacer = this.#state.instances.get(id)
      if (displacer !== undefined) return displacer
    }
    return undefined
  }

  /** All that wait for this one to leave. */
  waitingFor(victim: string): Instance[] {
    return [...(this.#displacers.get(victim) ?? [])].flatMap((id) => this.#state.instances.get(id) ?? [])
  }

  /** Those that are on their way, wherever they run. */
  victims(): IterableIterator<string> {
    return this.#displacers.keys()
  }

  #onChange(change: StateChange): void {
    if (change.kind !== 'instances') return
    if (change.before !== undefined) this.#enter(change.before, false)
    if (change.after !== undefined) this.#enter(change.after, true)
  }

  #enter({ id, desired, waitsFor = [] }: Instance, isIn: boolean): void {
    if (desired !== 'run') return
    for (const victim of waitsFor) {
      const displacers = this.#displacers.get(victim) ?? new Set()
      if (isIn) this.#displacers.set(victim, displacers.add(id))
      else if (displacers.delete(id) && displacers.size === 0) this.#displacers.delete(victim)
    }
  }
}

/** `shop/web`, or with its pool where that is not plain from who is told: what people know it by. */
export const displacedBy = ({ app, entrypoint }: Pick<Instance, 'app' | 'entrypoint'>): string => `${app}/${entrypoint}`
