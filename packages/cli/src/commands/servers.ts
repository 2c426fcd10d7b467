import type { ServerView } from '@berth/api'
import type { Command } from 'commander'
import { formatAge } from '../output/format.ts'
import { type ListingView, printItem } from '../output/print.ts'
import { action } from './command.ts'
import { parseDuration } from './logs.ts'
import { listCommand } from './named-commands.ts'

export function registerServers(program: Command): void {
  const server = program.command('server').summary('servers that share the cluster’s store')
  server.description(
    'Several servers may stand on one etcd. Without a word after it, `berth server` is the server itself; see docs/guides/servers.md.',
  )
  server.addHelpText('after', serverHelp)
  server
    .command('join')
    .summary('make this machine a server of a cluster; the token is read from standard input or BERTH_JOIN_TOKEN')
    .description(
      'Gets the key of the cluster’s secrets, once. Then start the server: berth up --store … (docs/guides/servers.md).',
    )
    .requiredOption('--server <address:port>', 'the API of a server that is up')
    .option('--server-name <name>', 'how this one is called among servers (default: the machine’s name)')
    .option('--state-dir <dir>', 'where everything is kept', '/var/lib/berth')
  listCommand(server, 'listServers', 'servers that are up, and what each leads', serverListing)
  server
    .command('token')
    .summary('a one-time token with which another machine becomes a server')
    .description('Whoever has it gets the key of all secrets: hand it to nobody but the machine that joins.')
    .option('--ttl <duration>', 'how long it is good', '15m')
    .action(
      action<{ ttl: string }>(async ({ client, out, form, signal }, _, { ttl }) => {
        const token = await client.call('createServerToken', { body: { ttlMs: parseDuration(ttl) } }, { signal })
        await printItem(token, form, out, ({ command, expiresAt }) =>
          [`until ${new Date(expiresAt).toISOString()}, on the machine that is to be a server:`, command].join('\n'),
        )
      }),
    )
}

const serverHelp = `
Options of berth server itself, which berth up starts with what it was told:
  --store, --store-ca, --store-cert, --store-key, --store-user, --store-password-file
  --listen, --agent-listen, --gateway-url, --server-name, --advertise, --consul-listen, --consul-tls-listen, --consul-anonymous, --state-dir, --run-dir, --log-level`

const serverListing = (now: number): ListingView<ServerView> => ({
  headers: ['', 'server', 'leads', 'hears', 'version', 'address', 'up'],
  row: (each) => [
    each.answers ? '*' : '',
    each.name,
    each.leads.join(',') || '-',
    each.hears === undefined ? '-' : String(each.hears),
    each.version,
    each.apiAddress ?? '-',
    formatAge(now - each.startedAt),
  ],
  wideHeaders: ['agents'],
  wideRow: (each) => [each.agentAddress ?? '-'],
  name: (each) => each.name,
  empty: 'no servers',
})
