import { BerthError } from '@berth/core'

/** Lines of a UTF-8 stream. Throws `agent.line-too-long` instead of growing without bound. */
export async function* readBoundedLines(
  chunks: AsyncIterable<Uint8Array>,
  maxBytes: number,
): AsyncGenerator<string, void, undefined> {
  let pending: Uint8Array[] = []
  let pendingBytes = 0
  for await (const chunk of chunks) {
    let from = 0
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, from)) {
      pending.push(chunk.subarray(from, end))
      from = end + 1
      yield Buffer.concat(pending).toString('utf8')
      pending = []
      pendingBytes = 0
    }
    if (from === chunk.length) continue
    pending.push(chunk.subarray(from))
    pendingBytes += chunk.length - from
    if (pendingBytes > maxBytes)
      throw new BerthError('agent.line-too-long', `a line of an agent is longer than ${maxBytes} bytes`)
  }
  if (pendingBytes > 0) yield Buffer.concat(pending).toString('utf8')
}
