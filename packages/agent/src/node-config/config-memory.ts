import { readFile, rename } from 'node:fs/promises'
import type { ConfigOrder } from '@berth/api'
import { emptyNodeConfig, type ItemChange, type NodeConfig, type NodeConfigReport, type OwnedItems } from '@berth/core'
import type { Logger } from 'pino'
import { writeFileAtomic } from '../state/atomic-file.ts'
import { decodeChecked, encodeChecked } from '../state/checked-json.ts'

/** An order under way: all that is needed to go on with it, or to undo it. */
export interface Journal {
  readonly order: ConfigOrder
  readonly changes: readonly ItemChange[]
  /** What is owned once they are made. */
  readonly owned: OwnedItems
  /** Instances that were ready before. */
  readonly ready: readonly string[]
  /** How often it was interrupted. */
  readonly interruptions: number
  /** So many stages have begun. */
  readonly stages: number
  /** Set once it is to be undone. */
  readonly failure?: { readonly why: string; readonly output: readonly string[] }
}

/** `agent/node-config.json`: what is in force here, what the machine had before, and what is under way. */
export interface ConfigMemory {
  readonly version: number
  readonly config: NodeConfig
  readonly owned: OwnedItems
  /** How the last order ended. */
  readonly last?: Omit<NodeConfigReport, 'version' | 'drift'>
  readonly journal?: Journal
}

const format = 1
const nothing: ConfigMemory = { version: 0, config: emptyNodeConfig, owned: {} }

export class ConfigMemoryFile {
  readonly #path: string
  #memory: ConfigMemory = nothing

  private constructor(path: string) {
    this.#path = path
  }

  /** A damaged one is set aside. */
  static async open(path: string, log: Logger): Promise<ConfigMemoryFile> {
    const file = new ConfigMemoryFile(path)
    try {
      file.#memory = decodeChecked<ConfigMemory>(format, await readFile(path, 'utf8'), path)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return file
      log.error({ err: error }, 'the memory of the node configuration cannot be read; it is set aside')
      await rename(path, `${path}.corrupt`)
    }
    return file
  }

  get memory(): ConfigMemory {
    return this.#memory
  }

  /** Resolves when it is durable. */
  async save(memory: ConfigMemory): Promise<void> {
    await writeFileAtomic(this.#path, encodeChecked(format, memory))
    this.#memory = memory
  }
}
