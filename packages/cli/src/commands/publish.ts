import { BerthError, type InstancePort, parsePublished, portText } from '@berth/core'
import type { Command } from 'commander'
import { findInstance, type PoolOption } from '../target.ts'
import { action } from './command.ts'

export function registerPublish(program: Command): void {
  program
    .command('publish')
    .summary('let a port of its node lead to an instance, while it runs')
    .description(
      'The port is the instance’s until it is withdrawn or the instance ends: what comes to any address of its node at that port is sent on to it. For ports that every instance of an entrypoint is to have, write `hostPort` in berth.yaml.\nExamples: berth publish web-3 8080:80 · berth publish shop/dns-1 5353:53/udp',
    )
    .argument('<instance>', 'such as web-3')
    .argument('<port>', 'NODE-PORT:PORT[/udp]')
    .option('-e, --environment <name>')
    .action(
      action<PoolOption>(async (context, [text = '', port = ''], options) => {
        const { client, out, signal } = context
        const body = readPort(port)
        const { id } = await findInstance(context, text, options)
        const view = await client.call('publishPort', { params: { id }, body }, { signal })
        out.note(`port ${portText(body)} of ${view.node} leads to ${id}:${body.port}`)
      }),
    )
  program
    .command('unpublish')
    .summary('withdraw a port that was published for an instance')
    .argument('<instance>', 'such as web-3')
    .argument('<port>', 'NODE-PORT[/udp]')
    .option('-e, --environment <name>')
    .action(
      action<PoolOption>(async (context, [text = '', port = ''], options) => {
        const { client, out, signal } = context
        const { hostPort, protocol } = readPort(port)
        const { id } = await findInstance(context, text, options)
        const params = { id, hostPort: String(hostPort) }
        const view = await client.call('unpublishPort', { params, query: { protocol } }, { signal })
        out.note(`port ${portText({ hostPort, protocol })} of ${view.node} leads to ${id} no more`)
      }),
    )
}

function readPort(text: string): InstancePort {
  const read = parsePublished(text)
  if (read.ok) return read.value
  const next = read.suggestion === undefined ? '' : `; ${read.suggestion}`
  throw new BerthError('usage.port', `${read.message}${next}`)
}
