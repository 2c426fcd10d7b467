import type { Readable } from 'node:stream'
import type { EngineLogLine } from './engine.ts'

export interface Frame {
  readonly stream: 'stdout' | 'stderr'
  readonly data: Buffer
  /** First piece of a frame; Docker writes one frame a log message. */
  readonly first: boolean
}

const headerBytes = 8
/** A longer line is given in parts: nobody reads it, and it must not fill the memory. */
const maxLineBytes = 256 * 1024

/**
 * Docker's multiplexed stream: frames of one byte of channel, three of padding, a big-endian length and the payload. Payloads are
 * passed on as they come, never collected.
 */
export async function* demultiplex(source: Readable): AsyncGenerator<Frame> {
  let header = Buffer.alloc(0)
  let left = 0
  let stream: Frame['stream'] = 'stdout'
  let first = false
  for await (const chunk of source as AsyncIterable<Buffer>) {
    let rest = chunk
    while (rest.length > 0) {
      if (left === 0) {
        const missing = headerBytes - header.length
        header = Buffer.concat([header, rest.subarray(0, missing)])
        rest = rest.subarray(missing)
        if (header.length < headerBytes) break
        stream = header[0] === 2 ? 'stderr' : 'stdout'
        left = header.readUInt32BE(4)
        header = Buffer.alloc(0)
        first = true
        continue
      }
      const data = rest.subarray(0, left)
      rest = rest.subarray(data.length)
      left -= data.length
      yield { stream, data, first }
      first = false
    }
  }
}

/** Lines of a log stream that was asked for with time stamps. */
export async function* logLines(source: Readable): AsyncGenerator<EngineLogLine> {
  const partial = { stdout: new PartialLine('stdout'), stderr: new PartialLine('stderr') }
  for await (const frame of demultiplex(source)) yield* partial[frame.stream].push(frame)
  yield* partial.stdout.end()
  yield* partial.stderr.end()
}

/**
 * Puts one line together. Docker cuts long lines into messages of 16 KiB, each with a time stamp of its own; the first one counts.
 */
class PartialLine {
  readonly #stream: 'stdout' | 'stderr'
  #stamp = ''
  #inStamp = false
  #position = ''
  #chunks: Buffer[] = []
  #bytes = 0

  constructor(stream: 'stdout' | 'stderr') {
    this.#stream = stream
  }

  *push(frame: Frame): Generator<EngineLogLine> {
    let data = frame.data
    if (frame.first) {
      this.#inStamp = true
      this.#stamp = ''
    }
    if (this.#inStamp) {
      const space = data.indexOf(0x20)
      this.#stamp += data.subarray(0, space === -1 ? data.length : space).toString('latin1')
      if (space === -1) return
      this.#inStamp = false
      data = data.subarray(space + 1)
      if (this.#bytes === 0) this.#position = this.#stamp
    }
    const ended = data.at(-1) === 0x0a
    const text = ended ? data.subarray(0, -1) : data
    this.#chunks.push(text)
    this.#bytes += data.length
    if (ended || this.#bytes >= maxLineBytes) yield* this.end()
  }

  *end(): Generator<EngineLogLine> {
    if (this.#bytes === 0) return
    const line = Buffer.concat(this.#chunks).toString('utf8').replace(/\r$/, '')
    this.#chunks = []
    this.#bytes = 0
    yield { at: Date.parse(this.#position) || 0, position: this.#position, stream: this.#stream, line }
  }
}

/** `2026-01-02T03:04:05.123456789Z` as Docker's `since` wants it, one nanosecond later. */
export function sinceAfter(position: string): string {
  const match = /^(.+?)(?:\.(\d+))?Z$/.exec(position)
  const seconds = BigInt(Math.floor(Date.parse(`${match?.[1]}Z`) / 1000))
  const nanos = BigInt((match?.[2] ?? '').padEnd(9, '0').slice(0, 9))
  const total = seconds * 1_000_000_000n + nanos + 1n
  return `${total / 1_000_000_000n}.${String(total % 1_000_000_000n).padStart(9, '0')}`
}

/** One JSON document a line, as Docker reports events and progress. */
export async function* jsonLines<T>(source: Readable): AsyncGenerator<T> {
  let rest = ''
  source.setEncoding('utf8')
  for await (const chunk of source as AsyncIterable<string>) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) if (line.trim() !== '') yield JSON.parse(line) as T
  }
  if (rest.trim() !== '') yield JSON.parse(rest) as T
}
