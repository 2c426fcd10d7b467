import { type FileHandle, open, rm } from 'node:fs/promises'
import type { LogLine } from '@berth/api'
import { assembleOutput, encode, gapLine, partPath } from './output-parts.ts'

export interface OutputWriterOptions {
  readonly headBytes: number
  readonly tailBytes: number
  /** Path of the parts without their offsets. */
  readonly prefix: string
  /** The whole output, in the end. */
  readonly file: string
}

interface OpenPart {
  readonly path: string
  readonly start: number
  end: number
  readonly handle: FileHandle
}

const maxPendingBytes = 256 * 1024
const maxLineLength = 16 * 1024
const readBytes = 64 * 1024
const tailLines = 20
/** The end of an output is kept in parts, of which the oldest is dropped. */
const tailParts = 4

/**
 * The output of one build while it runs. Lines go to disk in batches; what was written is read back from there by followers, each at
 * its own pace and with no memory of its own. Part 0 is the head; of the later ones only the last few are kept.
 */
export class OutputWriter implements AsyncDisposable {
  /** The last lines that the build itself printed. */
  readonly lastLines: string[] = []
  /** Resolves when all is on disk in one file, or could not be put there. */
  readonly finished: Promise<void>
  readonly #options: OutputWriterOptions
  readonly #finish: () => void
  readonly #parts: OpenPart[] = []
  #pending: string[] = []
  #pendingBytes = 0
  #flushing: Promise<void> | undefined
  #failure: unknown
  #readers = 0
  /** Nothing is written any more. */
  #ended = false
  /** The parts are not needed any more, but by readers. */
  #assembled = false
  #changed = Promise.withResolvers<void>()

  constructor(options: OutputWriterOptions) {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#options = options
    this.finished = promise
    this.#finish = resolve
  }

  /** Wait for it when there is much to write: it resolves when the disk keeps up. */
  async write(line: LogLine): Promise<void> {
    if (this.#ended) return
    const text = line.line.length > maxLineLength ? `${line.line.slice(0, maxLineLength)}…` : line.line
    if (line.stream !== 'system') this.#remember(text)
    const encoded = encode({ ...line, line: text })
    this.#pending.push(encoded)
    this.#pendingBytes += encoded.length
    this.#flushing ??= this.#flush()
    if (this.#pendingBytes > maxPendingBytes) await this.#flushing
  }

  /** Throws when the output could not be written. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ended) return this.finished
    while (this.#flushing !== undefined) await this.#flushing
    this.#ended = true
    try {
      await assembleOutput(this.#parts, this.#options.file, [])
      if (this.#failure !== undefined) throw this.#failure
    } finally {
      this.#assembled = true
      this.#signalChange()
      this.#finish()
      await this.#closeWhenUnread()
    }
  }

  /** The lines so far and, with `follow`, those to come until the end. */
  async *read({ follow, signal }: { follow: boolean; signal?: AbortSignal | undefined }): AsyncGenerator<LogLine> {
    this.#readers += 1
    try {
      if (this.#flushing !== undefined) await this.#flushing
      yield* this.#readFrom(follow, signal)
    } finally {
      this.#readers -= 1
      if (this.#assembled) await this.#closeWhenUnread()
    }
  }

  async *#readFrom(follow: boolean, signal: AbortSignal | undefined): AsyncGenerator<LogLine> {
    const buffer = Buffer.alloc(readBytes)
    let position = 0
    let rest = Buffer.alloc(0)
    for (;;) {
      signal?.throwIfAborted()
      const changed = this.#changed.promise
      const ended = this.#ended
      const part = this.#parts.find(({ end }) => end > position)
      if (part === undefined) {
        if (ended || !follow) return
        await untilAborted(changed, signal)
        continue
      }
      if (part.start > position) {
        yield gapLine(part.start - position + rest.length)
        position = part.start
        rest = Buffer.alloc(0)
      }
      const { bytesRead } = await part.handle.read(
        buffer,
        0,
        Math.min(readBytes, part.end - position),
        position - part.start,
      )
      position += bytesRead
      const text = Buffer.concat([rest, buffer.subarray(0, bytesRead)])
      const cut = text.lastIndexOf(0x0a) + 1
      rest = Buffer.from(text.subarray(cut))
      for (const line of text.subarray(0, cut).toString('utf8').split('\n'))
        if (line !== '') yield JSON.parse(line) as LogLine
    }
  }

  async #flush(): Promise<void> {
    // Lines that come in the same turn go into the same batch.
    await Promise.resolve()
    try {
      while (this.#pending.length > 0) {
        const batch = Buffer.from(this.#pending.join(''))
        this.#pending = []
        this.#pendingBytes = 0
        await this.#append(batch)
        this.#signalChange()
      }
    } catch (error) {
      // The build goes on; that its output is not whole is said at the end.
      this.#failure ??= error
      this.#pending = []
      this.#pendingBytes = 0
    } finally {
      this.#flushing = undefined
    }
  }

  async #append(batch: Buffer): Promise<void> {
    const part = await this.#partToWrite()
    await part.handle.appendFile(batch)
    part.end += batch.length
  }

  async #partToWrite(): Promise<OpenPart> {
    const { headBytes, tailBytes, prefix } = this.#options
    const last = this.#parts.at(-1)
    const limit = this.#parts.length === 1 ? headBytes : tailBytes / tailParts
    if (last !== undefined && last.end - last.start < limit) return last
    const start = last?.end ?? 0
    const path = partPath(prefix, start)
    const part = { path, start, end: start, handle: await open(path, 'w+', 0o600) }
    this.#parts.push(part)
    if (this.#parts.length > 1 + tailParts + 1) await this.#drop(this.#parts.splice(1, 1))
    return part
  }

  async #drop(parts: readonly OpenPart[]): Promise<void> {
    for (const { handle, path } of parts) {
      await handle.close()
      await rm(path, { force: true })
    }
  }

  async #closeWhenUnread(): Promise<void> {
    if (this.#readers === 0) await this.#drop(this.#parts.splice(0))
  }

  #signalChange(): void {
    const { resolve } = this.#changed
    this.#changed = Promise.withResolvers<void>()
    resolve()
  }

  #remember(line: string): void {
    this.lastLines.push(line)
    if (this.lastLines.length > tailLines) this.lastLines.shift()
  }
}

async function untilAborted(wait: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return wait
  const { promise, resolve } = Promise.withResolvers<void>()
  const wake = () => resolve()
  signal.addEventListener('abort', wake, { once: true })
  try {
    await Promise.race([wait, promise])
  } finally {
    signal.removeEventListener('abort', wake)
  }
}
