import { createInterface } from 'node:readline/promises'
import type { Client } from '@berth/api'
import { BerthError } from '@berth/core'
import type { Command } from 'commander'
import { openClient } from './context/cluster-client.ts'
import { type Context, Contexts } from './context/contexts.ts'
import type { Failover } from './context/failover.ts'
import { createOutput, type Output, type OutputForm, parseOutputForm } from './output/print.ts'
import { createStyle, wantsColor } from './output/style.ts'

/** What every command gets. */
export interface CommandContext {
  readonly client: Client
  /** The servers that the client asks. */
  readonly servers: Pick<Failover, 'endpoints' | 'answered'>
  readonly contextName: string
  readonly context: Context
  readonly out: Output
  readonly form: OutputForm
  readonly signal: AbortSignal
  /** Asks before something that cannot be undone, naming the context and the target; refuses without a terminal or `-y`. */
  confirm(question: string): Promise<void>
}

export interface GlobalOptions {
  readonly context?: string
  readonly output?: string
  readonly yes?: boolean
  readonly color?: boolean
}

export function createContext(command: Command, signal: AbortSignal): CommandContext {
  const options = command.optsWithGlobals<GlobalOptions>()
  const contexts = new Contexts()
  const active = contexts.active(options.context)
  const { name, context } = active
  const style = createStyle(options.color !== false && wantsColor(process.stdout, process.env))
  const out = createOutput(style)
  return {
    ...openClient(contexts, active, (text) => out.note(`${style.yellow('!')} ${text}`)),
    contextName: name,
    context,
    out,
    form: parseOutputForm(options.output),
    signal,
    confirm: (question) => confirm(`${question} (context ${name})`, options.yes === true, signal),
  }
}

async function confirm(question: string, assumeYes: boolean, signal: AbortSignal): Promise<void> {
  if (assumeYes) return
  if (process.stdin.isTTY !== true) {
    throw new BerthError('usage.not-confirmed', `${question}: there is no terminal to ask at; say -y to go on`)
  }
  const prompt = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const answer = await prompt.question(`${question} [y/N] `, { signal }).catch((error: unknown) => {
      process.stderr.write('\n')
      throw new BerthError('usage.interrupted', 'nothing was done', { cause: error })
    })
    if (!/^y(es)?$/i.test(answer.trim())) throw new BerthError('usage.cancelled', 'nothing was done')
  } finally {
    prompt.close()
  }
}
