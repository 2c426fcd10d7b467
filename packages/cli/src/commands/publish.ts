import { BerthError, type InstancePorts, parsePublished, portsText } from '@berth/core'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { findInstance, type PoolOption } from '../target.ts'
import { action } from './command.ts'

export function registerPublish(program: Command): void {
  program
    .command('publish')
    .summary('let a port of its node lead to an instance, while it runs')
    .description(
      'The port is the instance’s until it is withdrawn or the instance ends: what comes to any address of its node at that port, or to the one that is named, is sent on to it. For ports that every instance of an entrypoint is to have, write `hostPort` in berth.yaml.\nExamples: berth publish web-3 8080:80 · berth publish shop/dns-1 5353:53/udp · berth publish ftp-1 8000-8010:8000-8010 · berth publish web-3 127.0.0.1:8080:80',
    )
    .argument('<instance>', 'such as web-3')
    .argument('<port>', '[ADDRESS:]NODE-PORT:PORT[/udp], or ranges of as many')
    .option('-e, --environment <name>')
    .action(
      action<PoolOption>(async (context, [text = '', port = ''], options) => {
        const { client, out, signal } = context
        const body = readPort(port)
        const { id } = await findInstance(context, text, options)
        const view = await client.call('publishPort', { params: { id }, body }, { signal })
        out.note(`port ${portsText(body)} of ${view.node} leads to ${id}:${body.port}`)
        const why = await keptOut(context, id, body)
        if (why !== undefined) out.note(`warning: who asks from an address that no rule names is not let in: ${why}`)
      }),
    )
  program
    .command('unpublish')
    .summary('withdraw a port that was published for an instance')
    .argument('<instance>', 'such as web-3')
    .argument('<port>', 'NODE-PORT[/udp], or a range')
    .option('-e, --environment <name>')
    .action(
      action<PoolOption>(async (context, [text = '', port = ''], options) => {
        const { client, out, signal } = context
        const { hostPort, protocol, count } = readPort(port)
        const { id } = await findInstance(context, text, options)
        const params = { id, hostPort: String(hostPort) }
        const view = await client.call(
          'unpublishPort',
          { params, query: { protocol, ...(count === undefined ? {} : { count }) } },
          { signal },
        )
        out.note(
          `port ${portsText({ hostPort, protocol, ...(count === undefined ? {} : { count }) })} of ${view.node} leads to ${id} no more`,
        )
      }),
    )
}

/** Somebody outside of the cluster: of a range that is nobody's. */
const stranger = '198.51.100.1'

/** Profiles hold for what comes by a published port: whoever tries it from outside waits in vain where none of their rules lets in a stranger. */
async function keptOut(
  { client, signal }: Pick<CommandContext, 'client' | 'signal'>,
  id: string,
  { port, protocol, hostAddress }: InstancePorts,
): Promise<string | undefined> {
  if (hostAddress?.startsWith('127.') === true) return undefined
  const query = { from: stranger, to: id, protocol, port }
  const { inbound } = await client.call('explainPacket', { query }, { signal })
  return inbound.allowed ? undefined : inbound.message
}

function readPort(text: string): InstancePorts {
  const read = parsePublished(text)
  if (read.ok) return read.value
  const next = read.suggestion === undefined ? '' : `; ${read.suggestion}`
  throw new BerthError('usage.port', `${read.message}${next}`)
}
