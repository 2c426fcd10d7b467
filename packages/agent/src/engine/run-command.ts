import type { Engine } from './engine.ts'

export type CommandOutcome =
  /** `output` is the end of what it wrote, on one line. */
  | { readonly type: 'exited'; readonly code: number; readonly output: string }
  | { readonly type: 'timed-out'; readonly output: string }
  /** It could not be run or watched. */
  | { readonly type: 'failed'; readonly error: unknown }

const maxOutputBytes = 2_000

/** Runs a command in a container to its end, or ends it when its time is over. Never throws but for an abort of `signal`. */
export async function runCommand(
  engine: Engine,
  containerId: string,
  command: readonly string[],
  options: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<CommandOutcome> {
  const time = AbortSignal.timeout(options.timeoutMs)
  const output = new Tail()
  try {
    const limit = AbortSignal.any([options.signal, time])
    await using session = await engine.exec(containerId, { command, tty: false, stdin: false }, { signal: limit })
    const ended = await readUntil(session.output, output, limit)
    if (!ended) {
      options.signal.throwIfAborted()
      return { type: 'timed-out', output: output.text() }
    }
    return { type: 'exited', code: await session.exitCode(), output: output.text() }
  } catch (error) {
    if (options.signal.aborted) throw options.signal.reason
    return time.aborted ? { type: 'timed-out', output: output.text() } : { type: 'failed', error }
  }
}

/** False when the signal came first. */
async function readUntil(
  source: AsyncIterable<{ readonly data: Buffer }>,
  output: Tail,
  signal: AbortSignal,
): Promise<boolean> {
  const { promise: aborted, resolve } = Promise.withResolvers<false>()
  const abort = (): void => resolve(false)
  signal.addEventListener('abort', abort, { once: true })
  try {
    if (signal.aborted) return false
    const read = async (): Promise<true> => {
      for await (const { data } of source) output.push(data)
      return true
    }
    const reading = read()
    // When the signal wins, the session is disposed of and its output breaks off.
    reading.catch(() => undefined)
    return await Promise.race([reading, aborted])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

class Tail {
  #bytes: Buffer = Buffer.alloc(0)

  push(data: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, data]).subarray(-maxOutputBytes)
  }

  text(): string {
    return this.#bytes
      .toString('utf8')
      .trim()
      .replaceAll(/\s*\n\s*/g, ' | ')
  }
}
