import { readFile, rename } from 'node:fs/promises'
import type { ServerAddress } from '@berth/api'
import { messageOf, type NetworkConfig } from '@berth/core'
import type { Logger } from 'pino'
import { writeFileAtomic } from './atomic-file.ts'
import { decodeChecked, encodeChecked } from './checked-json.ts'

/** What a node knows of its cluster, for the time when no server answers. */
export interface NodeState {
  /** Identity and position of the store that the last snapshot came from. */
  readonly epoch?: string
  readonly revision: number
  readonly network?: NetworkConfig
  /** Links of Docker's bridges that instances are in. */
  readonly bridges?: readonly string[]
  /** Agent ports of the servers that there are, and of those that there were before. */
  readonly servers?: readonly ServerAddress[]
  readonly formerServers?: readonly ServerAddress[]
  /**
   * The store has gone back, or is another one, and its routes are not in force yet: the gateway's table may be of what was given up, so
   * that its version says nothing and the next table is applied although it is older.
   */
  readonly forceRoutes?: boolean
}

const format = 1
const empty: NodeState = { revision: 0 }

/** `state.json`. A corrupt one is set aside: the server tells everything in it again. */
export class NodeStore {
  readonly #path: string
  #state: NodeState = empty
  #tail: Promise<void> = Promise.resolve()
  /** What is in memory is not on disk: a write failed, or is under way. */
  #isUnsaved = false

  private constructor(path: string) {
    this.#path = path
  }

  static async open(path: string, log: Logger): Promise<NodeStore> {
    const store = new NodeStore(path)
    try {
      store.#state = decodeChecked<NodeState>(format, await readFile(path, 'utf8'), path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return store
      const aside = `${path}.corrupt`
      await rename(path, aside)
      log.error({ file: aside, reason: messageOf(error) }, 'set the corrupt state of the node aside')
    }
    return store
  }

  get state(): NodeState {
    return this.#state
  }

  /** In memory at once; resolves when it is durable. Equal content is not written again. */
  update(change: Partial<NodeState>): Promise<void> {
    const next = { ...this.#state, ...change }
    if (JSON.stringify(next) === JSON.stringify(this.#state) && !this.#isUnsaved) return this.#tail
    this.#state = next
    const mine = this.#tail.then(() => this.#write())
    this.#tail = mine.catch(() => {})
    return mine
  }

  async #write(): Promise<void> {
    this.#isUnsaved = true
    await writeFileAtomic(this.#path, encodeChecked(format, this.#state))
    this.#isUnsaved = false
  }
}
