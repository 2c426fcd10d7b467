import type { RegistryCollection, RegistryOrder, RegistryReport } from '@berth/api'
import { BerthError, checkPlace, messageOf, type RegistryPlace } from '@berth/core'
import type { Logger } from 'pino'
import { repeat } from '../node/repeat.ts'
import { RegistryFiles, type RegistryMemory } from './registry-files.ts'
import { RegistryProcess } from './registry-process.ts'
import { RegistryStorage } from './registry-storage.ts'

interface SignalOptions {
  readonly signal: AbortSignal
}

interface ReportOptions extends SignalOptions {
  readonly size: boolean
  readonly app?: string | undefined
}

export interface RegistryServiceOptions {
  readonly directory: string
  readonly log: Logger
  /** What is wrong with it; undefined: it is well, or there is none. */
  readonly onProblem: (problem: string | undefined) => void
  readonly lookMs?: number
}

/**
 * The cluster's registry, on the node that was ordered to run it. It goes on while this agent or every server is down, and is started
 * again when it has ended. One thing at a time is done to it; a collection has it read-only, so that nothing is pushed under its feet.
 */
export class RegistryService implements AsyncDisposable {
  readonly #options: RegistryServiceOptions
  readonly #files: RegistryFiles
  readonly #process: RegistryProcess
  readonly #storage: RegistryStorage
  #memory: RegistryMemory | undefined
  #problem: string | undefined
  #turn: Promise<unknown> = Promise.resolve()
  #watch: AsyncDisposable | undefined

  constructor(options: RegistryServiceOptions) {
    this.#options = options
    this.#files = new RegistryFiles(options.directory)
    this.#process = new RegistryProcess(this.#files)
    this.#storage = new RegistryStorage(this.#files.images)
  }

  /** Takes up what was ordered before. */
  async resume(): Promise<void> {
    this.#memory = await this.#files.read(this.#options.log)
    if (this.#memory !== undefined) this.#keep()
  }

  /** The program goes on. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#watch?.[Symbol.asyncDispose]()
    await this.#turn
  }

  /** Resolves when it serves as ordered. Nothing is remembered of an order that cannot be obeyed. */
  run(order: RegistryOrder, { signal }: SignalOptions): Promise<RegistryReport> {
    return this.#inTurn(async () => {
      const before = this.#memory
      await this.#start(order, signal).catch(async (error: unknown) => {
        await this.#undo(before, order)
        throw error
      })
      this.#memory = { ...before, order }
      await this.#files.write(this.#memory)
      this.#tell(undefined)
      this.#keep()
      return await this.report({ size: false, signal })
    })
  }

  /** With `app` its images only, and more of each. */
  async report({ size, app, signal }: ReportOptions): Promise<RegistryReport> {
    const running = (await this.#process.pid()) !== undefined
    const freeBytes = await this.#storage.freeBytes()
    const { order, collected } = this.#memory ?? {}
    return {
      running,
      ...(order === undefined ? {} : { order: order.id, certificatePem: order.certificatePem }),
      ...(running || this.#problem === undefined ? {} : { problem: this.#problem }),
      images: await (app === undefined ? this.#storage.images() : this.#storage.imagesOfApp(app)),
      ...(size ? { sizeBytes: await this.#storage.sizeBytes(signal) } : {}),
      ...(freeBytes === undefined ? {} : { freeBytes }),
      ...(collected === undefined ? {} : { collected }),
    }
  }

  /** Takes these images out of it, and off the disk what nothing names any more. What is pushed meanwhile is refused. */
  async collect(remove: readonly RegistryPlace[], { signal }: SignalOptions): Promise<RegistryCollection> {
    const places = remove.map(checkPlace)
    return await this.#inTurn(async () => {
      const { order } = this.#ordered()
      const at = Date.now()
      const before = await this.#storage.sizeBytes(signal)
      await this.#start(order, signal, 'read-only')
      let removed = 0
      try {
        removed = await this.#storage.unname(places)
        await this.#storage.mendCutOff()
        if (!(await this.#storage.isEmpty())) await this.#process.collect(signal)
      } finally {
        await this.#start(order, this.#lasting(), 'open')
      }
      const freedBytes = Math.max(0, before - (await this.#storage.sizeBytes(signal)))
      const collected = { at, tookMs: Date.now() - at, removed, freedBytes }
      this.#memory = { order, collected }
      await this.#files.write(this.#memory)
      this.#options.log.info(collected, 'collected the garbage of the registry')
      return collected
    })
  }

  /** It ends here; its images go with `purge` only. */
  end({ purge }: { readonly purge: boolean }): Promise<void> {
    return this.#inTurn(async () => {
      this.#memory = undefined
      await this.#process.stop()
      await this.#files.forget({ purge })
      this.#tell(undefined)
    })
  }

  async #undo(before: RegistryMemory | undefined, failed: RegistryOrder): Promise<void> {
    try {
      if (before !== undefined) return await this.#start(before.order, this.#lasting())
      await this.#process.stop()
      await this.#files.forget({ purge: false })
    } catch (error) {
      this.#options.log.error({ err: error, order: failed.id }, 'could not go back from an order that failed')
    }
  }

  #ordered(): RegistryMemory {
    if (this.#memory !== undefined) return this.#memory
    throw new BerthError('registry.not-here', 'this node does not run the registry; see: berth registry status')
  }

  /** Anew, also if it runs: it reads its files only then. */
  async #start(order: RegistryOrder, signal: AbortSignal, mode: 'open' | 'read-only' = 'open'): Promise<void> {
    await this.#process.stop()
    await this.#files.configure(order, mode)
    await this.#process.start(order, signal)
  }

  #keep(): void {
    const { lookMs = 2_000 } = this.#options
    this.#watch ??= repeat(lookMs, (signal) => this.#inTurn(() => this.#look(signal)))
  }

  async #look(signal: AbortSignal): Promise<void> {
    const order = this.#memory?.order
    if (order === undefined || (await this.#isOpen())) return this.#tell(undefined)
    try {
      await this.#start(order, signal)
      this.#options.log.warn('the registry had ended, or was left read-only, and was started again')
      this.#tell(undefined)
    } catch (error) {
      if (!signal.aborted) this.#tell(messageOf(error))
    }
  }

  /** An agent that was killed while it collected garbage has left it read-only. */
  async #isOpen(): Promise<boolean> {
    return (await this.#process.pid()) !== undefined && (await this.#files.mode()) === 'open'
  }

  #tell(problem: string | undefined): void {
    if (problem === this.#problem) return
    this.#problem = problem
    this.#options.onProblem(problem)
  }

  /** What has to be done to its end. */
  #lasting(): AbortSignal {
    return AbortSignal.timeout(60_000)
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work, work)
    this.#turn = turn.catch(() => undefined)
    return turn
  }
}
