import type { Command } from 'commander'
import { printItem } from '../output/print.ts'
import { action } from './command.ts'

/** The Prometheus that gates of rollouts ask. */
export function registerPrometheus(program: Command): void {
  const prometheus = program.command('prometheus').summary('the Prometheus that gates of rollouts ask')
  prometheus
    .command('show')
    .summary('where it is')
    .action(
      action(async ({ client, out, form, signal }) => {
        await printItem(await client.call('getPrometheus', {}, { signal }), form, out, ({ url }) => url)
      }),
    )
  prometheus
    .command('set')
    .summary('have gates ask it')
    .argument('<url>', 'such as http://10.0.0.5:9090')
    .action(
      action(async ({ client, out, form, signal }, [url = '']) => {
        const set = await client.call('setPrometheus', { body: { url } }, { signal })
        await printItem(set, form, out, (each) => `gates ask ${each.url}`)
      }),
    )
  prometheus
    .command('rm')
    .summary('have gates ask none any more')
    .action(
      action(async ({ client, out, signal }) => {
        await client.call('removePrometheus', {}, { signal })
        out.note('gates ask no Prometheus any more')
      }),
    )
}
