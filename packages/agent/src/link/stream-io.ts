import type { Duplex } from 'node:stream'
import { BerthError } from '@berth/core'

/** Lines of a UTF-8 stream, without their ends. Throws `link.line-too-long` instead of growing without bound. */
export async function* readLines(source: AsyncIterable<Uint8Array>, maxBytes: number): AsyncGenerator<string> {
  let pending: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of source) {
    let from = 0
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, from)) {
      pending.push(chunk.subarray(from, end))
      yield Buffer.concat(pending).toString('utf8')
      pending = []
      bytes = 0
      from = end + 1
    }
    pending.push(chunk.subarray(from))
    bytes += chunk.length - from
    if (bytes > maxBytes)
      throw new BerthError('link.line-too-long', `a line of the server is longer than ${maxBytes} bytes`)
  }
  if (bytes > 0) yield Buffer.concat(pending).toString('utf8')
}

/** One line and the bytes that follow it: a request before its payload. */
export async function readHead(
  source: AsyncIterable<Uint8Array>,
  maxBytes: number,
): Promise<{ readonly line: string; readonly rest: AsyncGenerator<Uint8Array> }> {
  const iterator = source[Symbol.asyncIterator]()
  let head = Buffer.alloc(0)
  while (!head.includes(10)) {
    if (head.length > maxBytes)
      throw new BerthError('link.line-too-long', `the request is longer than ${maxBytes} bytes`)
    const next = await iterator.next()
    if (next.done === true) break
    head = Buffer.concat([head, next.value])
  }
  const end = head.indexOf(10)
  const line = head.subarray(0, end === -1 ? head.length : end).toString('utf8')
  return { line, rest: following(end === -1 ? Buffer.alloc(0) : head.subarray(end + 1), iterator) }
}

async function* following(first: Uint8Array, iterator: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    if (first.length > 0) yield first
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) yield next.value
  } finally {
    await iterator.return?.()
  }
}

const lengthBytes = 4
const maxFrameBytes = 1024 * 1024

/** Frames that are preceded by their length (u32, big endian). */
export async function* readFrames(source: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let rest = Buffer.alloc(0)
  for await (const chunk of source) {
    rest = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk])
    while (rest.length >= lengthBytes) {
      const length = rest.readUInt32BE(0)
      if (length > maxFrameBytes)
        throw new BerthError('link.frame-too-long', `a frame of the server has ${length} bytes`)
      if (rest.length < lengthBytes + length) break
      yield rest.subarray(lengthBytes, lengthBytes + length)
      rest = rest.subarray(lengthBytes + length)
    }
  }
}

export function withLength(frame: Uint8Array): Buffer {
  const message = Buffer.allocUnsafe(lengthBytes + frame.length)
  message.writeUInt32BE(frame.length, 0)
  message.set(frame, lengthBytes)
  return message
}

/** Resolves when more may be written; also when the stream is gone or breaks, which is for its reader to tell. */
export async function write(stream: Duplex, data: string | Uint8Array): Promise<void> {
  if (stream.destroyed || stream.writableEnded || stream.write(data)) return
  const { promise, resolve } = Promise.withResolvers<void>()
  const ends = ['drain', 'error', 'close'] as const
  for (const event of ends) stream.once(event, resolve)
  await promise
  for (const event of ends) stream.off(event, resolve)
}
