import { BerthError, blocksOf, defaultAddressPool, defaultPoolName, messageOf, poolOf } from '@berth/core'
import type { Logger } from 'pino'
import type { Records, State } from '../records/index.ts'
import { addressPoolsOf, blocksFence } from './pools-of.ts'

/**
 * Blocks of the cluster's own pool are cut out of what a server was started with. So that every server goes by the same, also one that was
 * told something else or nothing (a second one, or the first after a restore), the pool is in the store from the first block on.
 */

const isNoted = (state: State): boolean => state.addressPools.all().some(({ name }) => name === defaultPoolName)

/** The first node with a block that no pool has, as a server that was started with `range` sees it. */
function nodeOutside(state: State, range: string): { readonly name: string; readonly block: string } | undefined {
  const pools = addressPoolsOf(state, range)
  for (const node of state.nodes.values())
    for (const block of blocksOf(node)) if (poolOf(pools, block) === undefined) return { name: node.name, block }
  return undefined
}

/** A server of another range would take the network from every node. Throws `server.other-address-pool`. */
export function requireOwnPool(state: State, range: string): void {
  if (isNoted(state)) return
  const outside = nodeOutside(state, range)
  if (outside === undefined) return
  throw new BerthError(
    'server.other-address-pool',
    `start the server with the address pool ${range}: node ${outside.name} has the block ${outside.block}, which is not of it; say the range that this cluster was set up with: berth up --address-pool RANGE`,
  )
}

export interface OwnPoolNoteOptions {
  readonly records: Records
  readonly range: string
  readonly log: Logger
  readonly now?: () => number
}

/** Writes the cluster's own pool down once a node has a block of it; until then it may be another one with every start. */
export class OwnPoolNote implements Disposable {
  readonly #options: OwnPoolNoteOptions
  readonly #closing = new AbortController()
  readonly #unsubscribe: () => void
  #writing = false

  constructor(options: OwnPoolNoteOptions) {
    this.#options = options
    this.#unsubscribe = options.records.state.changes.subscribe(({ kind }) => {
      if (kind === 'nodes') this.#look()
    })
    this.#look()
  }

  [Symbol.dispose](): void {
    this.#closing.abort()
    this.#unsubscribe()
  }

  #isDue(): boolean {
    const { records, range } = this.#options
    if (isNoted(records.state)) return false
    const own = [defaultAddressPool(range)]
    return [...records.state.nodes.values()].some((node) => blocksOf(node).some((block) => poolOf(own, block)))
  }

  /** What cannot be written now is tried again with the next node, or by the next leader. */
  #look(): void {
    if (this.#writing || !this.#isDue()) return
    this.#writing = true
    void this.#write().finally(() => {
      this.#writing = false
    })
  }

  async #write(): Promise<void> {
    const { records, range, log, now = Date.now } = this.#options
    const { signal } = this.#closing
    try {
      await records.commit(
        'system:addresses',
        (tx) => {
          if (!this.#isDue()) return
          const updated = { updatedAt: now(), updatedBy: 'system:addresses' }
          tx.put('fences', { node: blocksFence, updatedAt: updated.updatedAt }, { ifUnchanged: true })
          tx.put('addressPools', { ...defaultAddressPool(range), ...updated }, { ifUnchanged: true })
        },
        { signal },
      )
    } catch (error) {
      if (!signal.aborted) log.warn({ reason: messageOf(error) }, 'cannot write the address pool of the cluster down')
    }
  }
}
