import { BerthError } from '@berth/core'
import type { Logger } from 'pino'
import type { Exec } from '../network/run-command.ts'
import { FailoverFiles } from './failover-files.ts'
import { KeepalivedProcess } from './keepalived-process.ts'

export interface KeepalivedKeeperOptions {
  /** For what keepalived needs while it runs; in memory. */
  readonly runDirectory: string
  readonly exec: Exec
  readonly log: Logger
}

interface Options {
  readonly signal: AbortSignal
}

/** Has keepalived run, by the configuration that it is given, or by the last one that it took where that one is refused. */
export class KeepalivedKeeper {
  readonly files: FailoverFiles
  readonly #process: KeepalivedProcess
  readonly #log: Logger
  #refused: { readonly text: string; readonly why: string } | undefined

  constructor({ runDirectory, exec, log }: KeepalivedKeeperOptions) {
    this.files = new FailoverFiles(runDirectory)
    this.#process = new KeepalivedProcess(exec, this.files)
    this.#log = log
  }

  async isRunning(): Promise<boolean> {
    return (await this.#process.pid()) !== undefined
  }

  /**
   * Resolves when keepalived runs by this text. Throws `failover.config-refused` (the one before stays in force),
   * `failover.keepalived-missing`, `failover.start-failed`.
   */
  async keep(text: string, { signal }: Options): Promise<void> {
    const isRunning = await this.isRunning()
    const current = await this.files.current()
    if (text === current) this.#refused = undefined
    else if (text !== this.#refused?.text) await this.#offer(text, signal)
    const isTaken = this.#refused === undefined
    if (!isRunning && (isTaken || current !== undefined)) {
      await this.#process.start({ signal })
      this.#log.info('keepalived was started')
    } else if (isTaken && text !== current) {
      await this.#process.reload()
      this.#log.info('keepalived has taken a configuration')
    }
    if (this.#refused !== undefined) throw refusedError(this.#refused.why)
  }

  /** Throws `failover.stop-failed`. */
  async stop(): Promise<void> {
    await this.#process.stop()
    await this.files.remove()
  }

  async #offer(text: string, signal: AbortSignal): Promise<void> {
    await this.files.offer(text)
    const why = await this.#process.refusal(this.files.next, { signal })
    this.#refused = why === undefined ? undefined : { text, why }
    if (why === undefined) await this.files.take()
    else this.#log.error({ why }, 'keepalived refused a configuration; the one before stays in force')
  }
}

const refusedError = (why: string): BerthError =>
  new BerthError(
    'failover.config-refused',
    `change the configuration of keepalived: ${why}; the one before stays in force`,
  )
