import { BerthError } from '@berth/core'

const headerBytes = 4
export const maxFrameBytes = 1_048_576

/** A frame on a stream: its length (u32, big endian), then its bytes. */
export function encodeFrame(frame: Uint8Array): Buffer {
  const message = Buffer.allocUnsafe(headerBytes + frame.length)
  message.writeUInt32BE(frame.length, 0)
  message.set(frame, headerBytes)
  return message
}

/** Throws `agent.frame-too-long`. A frame cut off by the stream's end is dropped. */
export async function* decodeFrames(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer, void, undefined> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of chunks) {
    rest = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk])
    while (rest.length >= headerBytes) {
      const length = rest.readUInt32BE(0)
      if (length > maxFrameBytes) {
        throw new BerthError(
          'agent.frame-too-long',
          `a frame of an agent has ${length} bytes, at most ${maxFrameBytes} may come`,
        )
      }
      if (rest.length < headerBytes + length) break
      yield rest.subarray(headerBytes, headerBytes + length)
      rest = rest.subarray(headerBytes + length)
    }
  }
}
