import { messageOf } from '@berth/core'
import type { Logger } from 'pino'
import { writeFileAtomic } from '../state/atomic-file.ts'
import { encodeDump } from './table-text.ts'

/** Several changes often come at once. */
const afterMs = 100
/** The whole is written however little has changed. */
const everyMs = 1_000

export interface TableDumpOptions {
  readonly path: string
  readonly log: Logger
  /** The table in force, as `encodeTable` makes it. */
  readonly text: () => string
  /** From a change until it is written, where nothing was written just before. */
  readonly afterMs?: number
}

/**
 * The file that nginx starts from when nobody tells it a table. It is written behind changes, once a second at most; whoever starts nginx, or
 * ends in good order, calls {@link flush} before. What was not written when all of the machine ended is told anew by a server.
 */
export class TableDump {
  readonly #options: TableDumpOptions
  #isBehind = false
  #timer: NodeJS.Timeout | undefined
  #writtenAt = Number.NEGATIVE_INFINITY
  #writing: Promise<void> = Promise.resolve()

  constructor(options: TableDumpOptions) {
    this.#options = options
  }

  /** The file is not what is in force any more. */
  changed(): void {
    this.#isBehind = true
    if (this.#timer !== undefined) return
    const waitMs = Math.max(this.#options.afterMs ?? afterMs, this.#writtenAt + everyMs - performance.now())
    this.#timer = setTimeout(() => void this.flush(), waitMs).unref()
  }

  /** All that has changed until now is on disk; where that failed, the log says so, and the next change or call tries again. */
  flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#writing = this.#writing.then(() => this.#write())
    return this.#writing
  }

  /** The table is in force whether or not it can be kept for the next start of nginx, so a full disk stops no traffic. */
  async #write(): Promise<void> {
    if (!this.#isBehind) return
    const { path, log, text } = this.#options
    this.#isBehind = false
    this.#writtenAt = performance.now()
    try {
      await writeFileAtomic(path, encodeDump(text()))
    } catch (error) {
      this.#isBehind = true
      log.error({ reason: messageOf(error), path }, 'the table could not be kept on disk')
    }
  }
}
