import { createReadStream } from 'node:fs'
import { mkdir, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import type { LogLine } from '@berth/api'
import { BerthError } from '@berth/core'
import { assembleOutput, findParts } from './output-parts.ts'
import { OutputWriter } from './output-writer.ts'

export interface BuildOutputsOptions {
  /** One `<build>.ndjson` an ended build, `<build>.<offset>.part` files of a running one. */
  readonly dir: string
  /** Of a larger output the beginning and the end are kept. */
  readonly headBytes?: number
  readonly tailBytes?: number
}

export interface TailOptions {
  readonly follow: boolean
  readonly signal?: AbortSignal | undefined
  /** Asked while a followed build has no output yet: true when there will never be any. */
  readonly hasEnded?: () => boolean
}

const defaultHeadBytes = 4 * 1024 ** 2
const defaultTailBytes = 4 * 1024 ** 2
const openingPollMs = 250

/** What builds print: bounded on disk, readable and followable by anybody while it grows, whole in one file in the end. */
export class BuildOutputs {
  readonly #dir: string
  readonly #limits: { readonly headBytes: number; readonly tailBytes: number }
  readonly #live = new Map<string, OutputWriter>()

  private constructor({ dir, headBytes = defaultHeadBytes, tailBytes = defaultTailBytes }: BuildOutputsOptions) {
    this.#dir = dir
    this.#limits = { headBytes, tailBytes }
  }

  /** Opens the folder and ends what a killed server has left unfinished. */
  static async open(options: BuildOutputsOptions): Promise<BuildOutputs> {
    const outputs = new BuildOutputs(options)
    await mkdir(options.dir, { recursive: true, mode: 0o700 })
    await outputs.#recover()
    return outputs
  }

  /** Starts the output of a build anew. The writer must be disposed of; only then is the output at its end. */
  async start(id: string): Promise<OutputWriter> {
    checkId(id)
    if (this.#live.has(id)) throw new BerthError('build.running', `the output of build ${id} is being written already`)
    await this.remove(id)
    const writer = new OutputWriter({ ...this.#limits, prefix: join(this.#dir, id), file: this.#file(id) })
    this.#live.set(id, writer)
    writer.finished.then(() => this.#live.delete(id))
    return writer
  }

  /**
   * The lines so far and, with `follow`, those to come until the build ends. A reader that is slower than the build misses lines in the
   * middle, and is told. Throws `build.output-not-found`.
   */
  async *tail(id: string, { follow, signal, hasEnded }: TailOptions): AsyncGenerator<LogLine> {
    checkId(id)
    if (follow) await this.#untilThere(id, hasEnded, signal)
    const live = this.#live.get(id)
    if (live !== undefined) return yield* live.read({ follow, signal })
    if (follow && hasEnded?.() === true && !(await this.#exists(id))) return
    yield* this.#readFile(id, signal)
  }

  async remove(id: string): Promise<void> {
    checkId(id)
    await rm(this.#file(id), { force: true })
    for (const { path } of await findParts(join(this.#dir, id))) await rm(path, { force: true })
  }

  async #untilThere(id: string, hasEnded: (() => boolean) | undefined, signal: AbortSignal | undefined): Promise<void> {
    if (hasEnded === undefined) return
    while (!this.#live.has(id) && !hasEnded() && !(await this.#exists(id)))
      await sleep(openingPollMs, undefined, signal === undefined ? {} : { signal })
  }

  async *#readFile(id: string, signal: AbortSignal | undefined): AsyncGenerator<LogLine> {
    if (!(await this.#exists(id)))
      throw new BerthError(
        'build.output-not-found',
        `there is no output of build ${id}; old ones are removed with their builds`,
      )
    const input = createReadStream(this.#file(id), signal === undefined ? {} : { signal })
    try {
      for await (const line of createInterface({ input })) if (line !== '') yield JSON.parse(line) as LogLine
    } finally {
      input.destroy()
    }
  }

  async #recover(): Promise<void> {
    const names = await readdir(this.#dir)
    for (const name of names.filter((each) => each.endsWith('.tmp'))) await rm(join(this.#dir, name), { force: true })
    const ids = new Set(names.flatMap((name) => /^(.+)\.\d+\.part$/.exec(name)?.[1] ?? []))
    for (const id of ids) {
      const parts = await findParts(join(this.#dir, id))
      await assembleOutput(parts, this.#file(id), [systemLine('the server stopped while this build ran')])
      for (const { path } of parts) await rm(path, { force: true })
    }
  }

  async #exists(id: string): Promise<boolean> {
    return stat(this.#file(id)).then(
      () => true,
      () => false,
    )
  }

  #file(id: string): string {
    return join(this.#dir, `${id}.ndjson`)
  }
}

export const systemLine = (line: string): LogLine => ({ at: Date.now(), stream: 'system', line })

function checkId(id: string): void {
  if (!/^[A-Za-z0-9_-]{1,100}$/.test(id))
    throw new BerthError('build.not-found', `${JSON.stringify(id.slice(0, 100))} is no build`)
}
