import { readFileSync } from 'node:fs'
import type { MetricSourceView } from '@berth/api'
import type { Command } from 'commander'
import { printItem } from '../output/print.ts'
import { action } from './command.ts'
import { type SecretOptions, secretOf } from './secret-options.ts'

/** The Prometheus that gates of rollouts ask. */
export function registerPrometheus(program: Command): void {
  const prometheus = program.command('prometheus').summary('the Prometheus that gates of rollouts ask')
  prometheus
    .command('show')
    .summary('where it is')
    .action(
      action(async ({ client, out, form, signal }) => {
        await printItem(await client.call('getPrometheus', {}, { signal }), form, out, sourceText)
      }),
    )
  prometheus
    .command('set')
    .summary('have gates ask it')
    .argument('<url>', 'such as http://10.0.0.5:9090')
    .option('--user <name>', 'the secret is this user’s password (default: it is a token)')
    .option('--secret', 'a token, or the user’s password: asked for, or from standard input')
    .option('--secret-file <file>', 'the same from a file; an empty one takes it away')
    .option('--ca <file>', 'who has signed its certificate, in PEM; an empty file: whom the server’s machine trusts')
    .action(
      action<SetOptions>(async ({ client, out, form, signal }, [url = ''], options) => {
        const secret = await secretOf(options, signal)
        const body = {
          url,
          ...(options.user === undefined ? {} : { user: options.user }),
          ...(secret === undefined ? {} : { secret }),
          ...(options.ca === undefined ? {} : { ca: readFileSync(options.ca, 'utf8') }),
        }
        const set = await client.call('setPrometheus', { body }, { signal })
        await printItem(set, form, out, (each) => `gates ask ${sourceText(each)}`)
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

interface SetOptions extends SecretOptions {
  readonly user?: string
  readonly ca?: string
}

/** `https://10.0.0.5:9090/ as berth, with a secret, by a certificate authority of its own` */
function sourceText({ url, user, hasSecret, hasCa }: MetricSourceView): string {
  const as = user === undefined ? '' : ` as ${user}`
  const by = hasCa === true ? ', by a certificate authority of its own' : ''
  return `${url}${as}${hasSecret === true ? ', with a secret' : ''}${by}`
}
