import { createReadStream } from 'node:fs'
import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import type { Executable } from './executable.ts'

const chunkBytes = 256 * 1024

/** It has no name, so that what is killed leaves nothing. Streams of its descriptor would close it for all: it is read by position. */
export class PackedFile {
  readonly bytes: number
  readonly #handle: FileHandle

  constructor(handle: FileHandle, bytes: number) {
    this.#handle = handle
    this.bytes = bytes
  }

  async *read(): AsyncGenerator<Buffer> {
    for (let at = 0; at < this.bytes; ) {
      const { bytesRead, buffer } = await this.#handle.read(Buffer.allocUnsafe(chunkBytes), 0, chunkBytes, at)
      if (bytesRead === 0) return
      at += bytesRead
      yield buffer.subarray(0, bytesRead)
    }
  }
}

/**
 * The executable as it travels, packed once for all machines: doing so takes a second or two of computing, which would be spent anew for
 * each of hundreds. It is made when the first one needs it.
 */
export class PackedExecutable implements AsyncDisposable {
  readonly #executable: Executable
  readonly #signal: AbortSignal
  #made: Promise<PackedFile | undefined> | undefined
  #handle: FileHandle | undefined

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
    const handle = await openNameless()
    this.#handle = handle
    const file = createReadStream(this.#executable.path, { highWaterMark: chunkBytes })
    const write = async (chunks: AsyncIterable<Buffer>): Promise<void> => {
      for await (const each of chunks) await handle.appendFile(each)
    }
    await pipeline(file, createGzip({ level: 1 }), write, { signal: this.#signal })
    return new PackedFile(handle, (await handle.stat()).size)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#made?.catch(() => undefined)
    await this.#handle?.close()
  }
}

async function openNameless(): Promise<FileHandle> {
  const directory = await mkdtemp(join(tmpdir(), 'berth-packed-'))
  try {
    return await open(join(directory, 'berth.gz'), 'wx+', 0o600)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}
