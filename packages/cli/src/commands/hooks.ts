import type { HookTargetView } from '@berth/api'
import type { Command } from 'commander'
import { type ListingView, printItem } from '../output/print.ts'
import { action } from './command.ts'
import { listCommand, removeCommand } from './named-commands.ts'
import { type SecretOptions, secretOf } from './secret-options.ts'

/** Where hooks of stages may call. */
export function registerHooks(program: Command): void {
  const hook = program.command('hook').alias('hooks').summary('URLs that hooks of stages may call')
  listCommand(hook, 'listHookTargets', 'all of them', () => listing)
  hook
    .command('allow')
    .summary('let hooks of stages call this URL and what is below it')
    .argument('<name>')
    .argument('<url>', 'such as https://ci.example/berth')
    .option('--secret', 'what is posted there is signed with it: asked for, or from standard input')
    .option('--secret-file <file>', 'the same from a file; an empty one takes it away')
    .action(
      action<SecretOptions>(async ({ client, out, form, signal }, [name = '', url = ''], options) => {
        const secret = await secretOf(options, signal)
        const body = { url, ...(secret === undefined ? {} : { secret }) }
        const set = await client.call('setHookTarget', { params: { name }, body }, { signal })
        const signed = (each: HookTargetView): string => (each.hasSecret ? ', signed' : ', not signed')
        await printItem(set, form, out, (each) => `hooks may call ${each.url}${signed(each)}`)
      }),
    )
  removeCommand(hook, 'removeHookTarget', {
    summary: 'let them call it no more',
    done: (name) => `hooks may not call ${name} any more`,
  })
}

const listing: ListingView<HookTargetView> = {
  headers: ['name', 'url', 'secret', 'by'],
  row: ({ name, url, hasSecret, updatedBy }) => [name, url, hasSecret ? 'set' : '-', updatedBy],
  name: ({ name }) => name,
  empty: 'hooks may call nothing; see: berth hook allow --help',
}
