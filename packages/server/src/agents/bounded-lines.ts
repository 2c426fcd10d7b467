import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { BerthError } from '@berth/core'

/** Cuts chunks of UTF-8 text into lines. Throws `agent.line-too-long` instead of growing without bound. */
class LineCutter {
  readonly #maxBytes: number
  #pending: Uint8Array[] = []
  #pendingBytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  *take(chunk: Uint8Array): Generator<string, void, undefined> {
    let from = 0
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, from)) {
      const part = chunk.subarray(from, end)
      from = end + 1
      yield this.#pendingBytes === 0 ? textOf(part) : this.#whole(part)
    }
    if (from === chunk.length) return
    this.#pending.push(chunk.subarray(from))
    this.#pendingBytes += chunk.length - from
    if (this.#pendingBytes > this.#maxBytes)
      throw new BerthError('agent.line-too-long', `a line of an agent is longer than ${this.#maxBytes} bytes`)
  }

  /** What came after the last line's end. */
  rest(): string | undefined {
    return this.#pendingBytes > 0 ? this.#whole(new Uint8Array()) : undefined
  }

  #whole(part: Uint8Array): string {
    const text = Buffer.concat([...this.#pending, part]).toString('utf8')
    this.#pending = []
    this.#pendingBytes = 0
    return text
  }
}

const textOf = ({ buffer, byteOffset, byteLength }: Uint8Array): string =>
  Buffer.from(buffer, byteOffset, byteLength).toString('utf8')

/** Lines of a UTF-8 stream. Throws `agent.line-too-long`. */
export async function* readBoundedLines(
  chunks: AsyncIterable<Uint8Array>,
  maxBytes: number,
): AsyncGenerator<string, void, undefined> {
  const cutter = new LineCutter(maxBytes)
  for await (const chunk of chunks) yield* cutter.take(chunk)
  const rest = cutter.rest()
  if (rest !== undefined) yield rest
}

/**
 * The same for whoever takes each line at once: it costs little where thousands of streams have a line now and then. Resolves at the
 * stream's end; rejects with what `onLine` throws or the stream fails with, and with `agent.line-too-long`, having destroyed it.
 */
export async function eachBoundedLine(
  stream: Readable,
  maxBytes: number,
  onLine: (line: string) => void,
): Promise<void> {
  const cutter = new LineCutter(maxBytes)
  const done = once(stream, 'end')
  const closed = Promise.withResolvers<never>()
  const fail = (error: unknown): void => {
    stream.off('data', take)
    stream.destroy()
    closed.reject(error)
  }
  const take = (chunk: Uint8Array): void => {
    try {
      for (const line of cutter.take(chunk)) onLine(line)
    } catch (error) {
      fail(error)
    }
  }
  const close = (): void => closed.reject(stream.errored ?? new Error('the stream was closed before its end'))
  stream.on('data', take).once('close', close)
  if (stream.closed) close()
  await Promise.race([done, closed.promise])
  stream.off('close', close)
  const rest = cutter.rest()
  if (rest !== undefined) onLine(rest)
}
