import { BerthError } from '@berth/core'

/** From a pipe as it is (without the last newline), from a terminal without showing it. */
export async function readSecret(what: string, signal: AbortSignal): Promise<string> {
  const { stdin, stderr } = process
  const tty = stdin.isTTY === true
  if (tty) {
    stderr.write(`${what} (not shown, end with Enter): `)
    stdin.setRawMode(true)
  }
  try {
    return await readInput(tty, signal)
  } finally {
    if (tty) {
      stdin.setRawMode(false)
      stderr.write('\n')
    }
    stdin.pause()
  }
}

async function readInput(tty: boolean, signal: AbortSignal): Promise<string> {
  let text = ''
  process.stdin.setEncoding('utf8')
  for await (const chunk of process.stdin) {
    signal.throwIfAborted()
    for (const character of chunk as string) {
      if (tty && character === '\u0003') throw new BerthError('usage.interrupted', 'nothing was set')
      if (tty && (character === '\r' || character === '\n')) return text
      if (tty && character === '\u007f') text = text.slice(0, -1)
      else text += character
    }
  }
  return text.replace(/\r?\n$/, '')
}
