import type { Answer, CallInput, Client } from '@berth/api'
import type { Command } from 'commander'
import { type ListingView, printItem, printListing } from '../output/print.ts'
import { action } from './command.ts'

type ListName = Parameters<Client['list']>[0]
type CallName = Parameters<Client['call']>[0]
/** Calls about one thing that is known by its name. */
type NamedCall = {
  [N in CallName]: { readonly name: string } extends NonNullable<CallInput<N>['params']> ? N : never
}[CallName]

/** `ls`: all that there are. `view` is told what time it is. */
export function listCommand<N extends ListName>(
  parent: Command,
  list: N,
  summary: string,
  view: (now: number) => ListingView<Answer<N>>,
): void {
  parent
    .command('ls')
    .summary(summary)
    .action(
      action(async ({ client, out, form, signal }) => {
        const { items } = await client.list(list, {}, { signal })
        await printListing(items, view(Date.now()), form, out)
      }),
    )
}

interface OneOptions {
  readonly summary: string
  /** What its name is called (name). */
  readonly argument?: string
}

interface ShowOptions<N extends NamedCall> extends OneOptions {
  /** The command's own name (show). */
  readonly verb?: string
  readonly text: (item: Answer<N>) => string
}

export function showCommand<N extends NamedCall>(parent: Command, get: N, options: ShowOptions<N>): void {
  const { verb = 'show', argument = 'name', summary, text } = options
  parent
    .command(verb)
    .argument(`<${argument}>`)
    .summary(summary)
    .action(
      action(async ({ client, out, form, signal }, [name = '']) => {
        const item = await client.call<N>(get, { params: { name } } as CallInput<N>, { signal })
        await printItem(item, form, out, text)
      }),
    )
}

interface RemoveOptions extends OneOptions {
  /** Asked before. Absent: nothing is. */
  readonly question?: (name: string) => string
  /** The call that finds it: nobody is asked about what is not there. */
  readonly get?: NamedCall
  /** Said once it is gone. */
  readonly done: (name: string) => string
}

export function removeCommand(parent: Command, remove: NamedCall, options: RemoveOptions): void {
  const { argument = 'name', summary, question, get, done } = options
  parent
    .command('rm')
    .argument(`<${argument}>`)
    .summary(summary)
    .action(
      action(async ({ client, out, signal, confirm }, [name = '']) => {
        if (get !== undefined) await client.call(get, { params: { name } }, { signal })
        if (question !== undefined) await confirm(question(name))
        await client.call(remove, { params: { name } }, { signal })
        out.note(done(name))
      }),
    )
}
