import { isDeepStrictEqual } from 'node:util'
import { type Instance, lanOf, settleSlices } from '@berth/core'
import type { Logger } from 'pino'
import { KeyLoop } from '../controllers/key-loop.ts'
import type { Records, RecordTransaction, StateChange } from '../records/index.ts'
import { seekersOf } from './lan-nodes.ts'

export interface LanKeeperOptions {
  readonly records: Records
  readonly log: Logger
}

const actor = 'system:networks'

/**
 * Gives nodes that a network of the machines' own is for by now their slices, and takes back those of nodes that have let go of it. Each
 * network is one record, compared as it is written: no two decisions give the same slice.
 */
export class LanKeeper implements AsyncDisposable {
  readonly #records: Records
  readonly #loop: KeyLoop
  readonly #unsubscribe: () => void

  constructor({ records, log }: LanKeeperOptions) {
    this.#records = records
    this.#loop = new KeyLoop({ name: 'networks', log, process: (name) => this.#settle(name) })
    this.#unsubscribe = records.state.changes.subscribe((change) => {
      if (matters(change)) this.#markAll()
    })
    this.#markAll()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#unsubscribe()
    await this.#loop[Symbol.asyncDispose]()
  }

  #markAll(): void {
    for (const name of this.#records.state.lans.ids()) this.#loop.mark(name)
  }

  async #settle(name: string): Promise<undefined> {
    const { state } = this.#records
    if (!this.#isToChange(name)) return undefined
    const decide = (tx: RecordTransaction): void => {
      const lan = state.lans.get(name)
      if (lan === undefined || !this.#isToChange(name)) return
      tx.put('lans', { ...lan, ...settleSlices(lan, seekersOf(state, lan)) }, { ifUnchanged: true })
    }
    await this.#records.commit(actor, decide)
    return undefined
  }

  #isToChange(name: string): boolean {
    const { state } = this.#records
    const lan = state.lans.get(name)
    return lan !== undefined && !isDeepStrictEqual(settleSlices(lan, seekersOf(state, lan)).slices, lan.slices)
  }
}

const isInOther = (instance: Instance | undefined): boolean =>
  instance?.networks !== undefined || lanOf(instance?.network) !== undefined

/** What nodes there are and what they bear; what they say they have; who has ended there. */
function matters(change: StateChange): boolean {
  if (change.kind === 'nodes' || change.kind === 'lans') return true
  if (change.kind === 'instances') return isInOther(change.after ?? change.before)
  if (change.kind !== 'nodeStatuses') return false
  const { before, after } = change
  return (
    before?.online !== after?.online ||
    !isDeepStrictEqual(before?.dockerNetworks, after?.dockerNetworks) ||
    !isDeepStrictEqual(before?.lanProblems, after?.lanProblems)
  )
}
