import { messageOf } from '@berth/core'
import { exitCode } from '../exit-code.ts'

/**
 * What happens when the output cannot be written. A reader that has seen enough (`| head`) is no failure; a full disk is one. Either
 * way nothing more is to be done here, and what was asked of the server goes on.
 */
export function guardOutput(streams: readonly NodeJS.WriteStream[], end: (code: number) => void): void {
  for (const stream of streams) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') return end(exitCode.done)
      if (stream !== process.stderr) process.stderr.write(`error: write the output: ${messageOf(error)}\n`)
      end(exitCode.failed)
    })
  }
}
