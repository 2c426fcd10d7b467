import { type FSWatcher, watch } from 'node:fs'
import { mkdir, readFile, stat } from 'node:fs/promises'
import { messageOf } from '@berth/core'
import type { Logger } from 'pino'
import { decodeNetdState, type NetdState, netdDirectory, netdStatePath } from './netd-state.ts'

const files: readonly (keyof NetdState)[] = ['names', 'network', 'instances']

export interface NetdWatcherOptions {
  readonly stateDir: string
  readonly log: Logger
  readonly tell: (state: Partial<NetdState>) => void
  readonly pollIntervalMs?: number
}

/**
 * Reads the agent's files at the start and whenever one of them is replaced. A file that is missing or corrupt leaves what it last said in force.
 */
export class NetdWatcher implements Disposable {
  readonly #stateDir: string
  readonly #log: Logger
  readonly #tell: (state: Partial<NetdState>) => void
  readonly #timer: NodeJS.Timeout
  readonly #seen = new Map<keyof NetdState, string>()
  #state: Partial<NetdState> = {}
  #watcher: FSWatcher | undefined
  #reading: Promise<void> | undefined
  #readAgain = false

  private constructor({ stateDir, log, tell, pollIntervalMs = 1000 }: NetdWatcherOptions) {
    this.#stateDir = stateDir
    this.#log = log
    this.#tell = tell
    // Notifications end when the directory is replaced, or never come when the host's limit of watches is reached.
    this.#timer = setInterval(() => this.#poll(), pollIntervalMs).unref()
  }

  static async start(options: NetdWatcherOptions): Promise<NetdWatcher> {
    await mkdir(netdDirectory(options.stateDir), { recursive: true })
    const watcher = new NetdWatcher(options)
    watcher.#watch()
    await watcher.#refresh()
    return watcher
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
    this.#watcher?.close()
    this.#watcher = undefined
  }

  /** One reading at a time; what changes meanwhile is read by the next. */
  #refresh(): Promise<void> {
    if (this.#reading !== undefined) {
      this.#readAgain = true
      return this.#reading
    }
    this.#reading = this.#readUntilSettled().finally(() => {
      this.#reading = undefined
    })
    return this.#reading
  }

  async #readUntilSettled(): Promise<void> {
    do {
      this.#readAgain = false
      const changes = await Promise.all(files.map((file) => this.#readIfChanged(file)))
      if (changes.includes(true)) this.#tell(this.#state)
    } while (this.#readAgain)
  }

  /** True when the file said something new. */
  async #readIfChanged<File extends keyof NetdState>(file: File): Promise<boolean> {
    const path = netdStatePath(this.#stateDir, file)
    try {
      const { ino, size, mtimeNs } = await stat(path, { bigint: true })
      const version = `${ino} ${size} ${mtimeNs}`
      if (this.#seen.get(file) === version) return false
      this.#seen.set(file, version)
      const text = await readFile(path, 'utf8')
      this.#state = { ...this.#state, [file]: decodeNetdState(file, text) }
      this.#log.debug({ file }, 'read a new state')
      return true
    } catch (error) {
      const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT'
      if (!isMissing) this.#log.error({ file: path, error: messageOf(error) }, 'kept the last good state')
      return false
    }
  }

  #poll(): void {
    this.#watch()
    void this.#refresh()
  }

  /** Anew each time: the watch of a directory that was replaced never tells. */
  #watch(): void {
    this.#watcher?.close()
    this.#watcher = undefined
    try {
      this.#watcher = watch(netdDirectory(this.#stateDir), { persistent: false }, () => void this.#refresh())
      this.#watcher.on('error', (error) => this.#log.debug({ error: messageOf(error) }, 'lost the watch of the state'))
    } catch (error) {
      this.#log.debug({ error: messageOf(error) }, 'cannot watch the state; it is polled')
    }
  }
}
