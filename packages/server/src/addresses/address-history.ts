import type { Instance } from '@berth/core'
import type { State, StateChange } from '../records/index.ts'

export interface FormerOwner {
  readonly instance: string
  readonly node: string
  readonly until: number
}

/** Beyond so many the oldest are forgotten. */
const mostKept = 20_000

/** Whose addresses were last, since this server has started: what was said to one that has gone may still come to the next. */
export class AddressHistory implements Disposable {
  readonly #last = new Map<string, FormerOwner>()
  readonly #unsubscribe: () => void
  readonly #now: () => number

  constructor(state: State, now: () => number = Date.now) {
    this.#now = now
    this.#unsubscribe = state.changes.subscribe((change) => this.#note(change))
  }

  [Symbol.dispose](): void {
    this.#unsubscribe()
  }

  of(address: string): FormerOwner | undefined {
    return this.#last.get(address)
  }

  #note(change: StateChange): void {
    if (change.kind !== 'instances' || change.before === undefined) return
    const { address, node } = ownAddressOf(change.before) ?? {}
    if (address === undefined || node === undefined || change.after?.address === address) return
    // Again the latest.
    this.#last.delete(address)
    this.#last.set(address, { instance: change.before.id, node, until: this.#now() })
    const [oldest] = this.#last.keys()
    if (this.#last.size > mostKept && oldest !== undefined) this.#last.delete(oldest)
  }
}

/** Undefined of one that has no place, or none of its own: in another network than the cluster's. */
export function ownAddressOf({ address, node, network }: Instance): { address: string; node: string } | undefined {
  return address === undefined || node === undefined || network !== undefined ? undefined : { address, node }
}
