import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { BerthError } from '@berth/core'

export interface BirdReply {
  /** Of its last line: 8000 and more is a refusal. */
  readonly code: number
  /** Without codes; a line that begins with a space or tab belongs to the one before. */
  readonly lines: readonly string[]
}

const firstRefusal = 8000
const answerMs = 5_000

/**
 * Asks the BIRD behind this control socket, as `birdc` does. Each line bears a code of four digits and a dash, the last one a space instead.
 * Throws `routing.bird-silent` (retryable).
 */
export async function askBird(
  path: string,
  command: string,
  { signal }: { readonly signal: AbortSignal },
): Promise<BirdReply> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(answerMs)])
  const socket = connect({ path, signal: limit })
  const { promise: failed, reject } = Promise.withResolvers<never>()
  failed.catch(() => undefined)
  socket.once('error', reject)
  try {
    return await Promise.race([converse(socket, command), failed])
  } catch (cause) {
    signal.throwIfAborted()
    throw new BerthError('routing.bird-silent', `ask BIRD (${command}): it does not answer at ${path}`, {
      ...{ retryable: true, cause },
    })
  } finally {
    socket.destroy()
  }
}

async function converse(socket: ReturnType<typeof connect>, command: string): Promise<BirdReply> {
  const lines: string[] = []
  let greeted = false
  for await (const line of createInterface({ input: socket })) {
    const [, code, mark, text = ''] = /^(\d{4})([ -])(.*)$/.exec(line) ?? []
    if (greeted) lines.push(code === undefined ? line.slice(1) : text)
    if (code === undefined || mark === '-') continue
    if (greeted) return { code: Number(code), lines }
    greeted = true
    socket.write(`${command}\n`)
  }
  throw new Error('it ended the conversation')
}

export const isRefusal = ({ code }: BirdReply): boolean => code >= firstRefusal
