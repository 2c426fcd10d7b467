import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { SeenRevision } from '@berth/api'

/** What the last command of a context learned of its servers. */
export interface Memory {
  /** The server that answered last: the next command asks it first. */
  readonly answered?: string
  /** What this caller has written: no server may answer with what is older. */
  readonly written?: SeenRevision
}

type MemoryFile = Readonly<Record<string, Memory>>

/**
 * Beside the contexts, for what changes with every command: losing it, or a write that another command overtakes, costs a moment and no
 * more. It holds nothing secret.
 */
export class ContextMemory {
  readonly #path: string

  constructor(directory: string) {
    this.#path = join(directory, 'last-seen.json')
  }

  of(context: string): Memory {
    return this.#load()[context] ?? {}
  }

  put(context: string, memory: Memory): void {
    const temporary = `${this.#path}.${process.pid}`
    try {
      mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 })
      writeFileSync(temporary, JSON.stringify({ ...this.#load(), [context]: memory }), { mode: 0o600 })
      renameSync(temporary, this.#path)
    } catch {
      // A folder that cannot be written is no reason to fail what was asked.
    }
  }

  #load(): MemoryFile {
    try {
      const file: unknown = JSON.parse(readFileSync(this.#path, 'utf8'))
      return typeof file === 'object' && file !== null ? (file as MemoryFile) : {}
    } catch {
      return {}
    }
  }
}
