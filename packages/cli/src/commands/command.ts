import type { Command } from 'commander'
import { type CommandContext, createContext } from '../command-context.ts'

/** Ends what is under way on the first Ctrl-C; the second one ends the program. */
const interrupt = new AbortController()
process.once('SIGINT', () => interrupt.abort())
process.once('SIGTERM', () => interrupt.abort())

export const interruption: AbortSignal = interrupt.signal

/** Wraps a command's work: gives it the context, its arguments and its options. */
export function action<O extends object>(work: (context: CommandContext, args: string[], options: O) => Promise<void>) {
  return async (...all: unknown[]): Promise<void> => {
    const command = all.at(-1) as Command
    await work(createContext(command, interruption), command.args, command.optsWithGlobals<O>())
  }
}
