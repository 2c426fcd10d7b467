import type { Command } from 'commander'
import { findInstance, type PoolOption } from '../target.ts'
import { action } from './command.ts'

interface AttachOptions extends PoolOption {
  readonly ip?: string
}

/** An instance in other Docker networks of its node, while it runs. */
export function registerAttach(net: Command): void {
  net
    .command('attach')
    .summary('put an instance into another Docker network of its node, while it runs')
    .description(
      'It gets one more interface, and keeps its address, its name and what it has. It is in that network until it is taken out of it or ends. For networks that every instance of an entrypoint is to be in, write `networks` in berth.yaml.\nExamples: berth net attach web-3 storage · berth net attach shop/db-1 lan --ip 192.168.7.20',
    )
    .argument('<instance>', 'such as web-3')
    .argument('<network>', 'as in `docker network ls` of its node')
    .option('--ip <address>', 'its address there; Docker chooses one unless said')
    .option('-e, --environment <name>')
    .action(
      action<AttachOptions>(async (context, [text = '', name = ''], { ip, ...options }) => {
        const { client, out, signal } = context
        const { id } = await findInstance(context, text, options)
        const body = ip === undefined ? { name } : { name, address: ip }
        const view = await client.call('attachNetwork', { params: { id }, body }, { signal })
        out.note(
          `${id} is put into ${name} of ${view.node}${ip === undefined ? '' : ` at ${ip}`}; berth ps -o wide shows it`,
        )
      }),
    )
  net
    .command('detach')
    .summary('take an instance out of a Docker network that it was put into')
    .argument('<instance>', 'such as web-3')
    .argument('<network>')
    .option('-e, --environment <name>')
    .action(
      action<PoolOption>(async (context, [text = '', network = ''], options) => {
        const { client, out, signal } = context
        const { id } = await findInstance(context, text, options)
        await client.call('detachNetwork', { params: { id, network } }, { signal })
        out.note(`${id} is taken out of ${network}`)
      }),
    )
}
