import type { CommandContext } from '../command-context.ts'

const intervalMs = 2000

/** `-w`: shows something again every two seconds until Ctrl-C, on a terminal in its place. */
export async function showAgain({ out, signal }: CommandContext, show: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    await pause(signal)
    if (signal.aborted) return
    if (out.isTerminal) out.text('\u001b[2J\u001b[H')
    await show()
  }
}

function pause(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, intervalMs)
    signal.addEventListener('abort', done, { once: true })
  })
}
