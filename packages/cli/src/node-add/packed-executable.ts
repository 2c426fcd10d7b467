import { createReadStream, createWriteStream } from 'node:fs'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import type { Executable } from './executable.ts'

export interface PackedFile {
  readonly path: string
  readonly bytes: number
}

/**
 * The executable as it travels, packed once for all machines: doing so takes a second or two of computing, which would be spent anew for
 * each of hundreds. It is made when the first one needs it.
 */
export class PackedExecutable implements AsyncDisposable {
  readonly #executable: Executable
  readonly #signal: AbortSignal
  #made: Promise<PackedFile | undefined> | undefined
  #directory: string | undefined

  constructor(executable: Executable, signal: AbortSignal) {
    this.#executable = executable
    this.#signal = signal
  }

  /** Undefined where it has no room: then it is packed on the way. */
  file(): Promise<PackedFile | undefined> {
    this.#made ??= this.#make().catch(() => {
      this.#signal.throwIfAborted()
      return undefined
    })
    return this.#made
  }

  async #make(): Promise<PackedFile> {
    this.#directory = await mkdtemp(join(tmpdir(), 'berth-packed-'))
    const path = join(this.#directory, 'berth.gz')
    const file = createReadStream(this.#executable.path, { highWaterMark: 256 * 1024 })
    await pipeline(file, createGzip({ level: 1 }), createWriteStream(path, { mode: 0o600 }), { signal: this.#signal })
    return { path, bytes: (await stat(path)).size }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#made?.catch(() => undefined)
    if (this.#directory !== undefined) await rm(this.#directory, { recursive: true, force: true })
  }
}
