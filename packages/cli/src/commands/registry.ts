import type { RegistryView } from '@berth/api'
import type { Command } from 'commander'
import { readText } from '../files.ts'
import { formatAge } from '../output/format.ts'
import type { ListingView } from '../output/print.ts'
import { readSecret } from '../read-secret.ts'
import { registerClusterRegistry } from './cluster-registry.ts'
import { action } from './command.ts'
import { listCommand } from './named-commands.ts'

export function registerRegistries(program: Command): void {
  const registry = program.command('registry').summary("the cluster's own image registry, and logins at others")
  registerClusterRegistry(registry)
  registry
    .command('login')
    .summary('log the cluster in; the password comes from standard input or a file, never from the command line')
    .argument('<host>', 'registry.example.com, registry:5000, or docker.io')
    .requiredOption('-u, --username <name>')
    .option('-f, --file <path>', 'read the password from this file')
    .action(
      action<{ username: string; file?: string }>(async ({ client, out, signal }, [host = ''], options) => {
        const { username, file } = options
        const password =
          file === undefined
            ? await readSecret(`password of ${username} at ${host}`, signal)
            : readText(file).replace(/\r?\n$/, '')
        const set = await client.call('setRegistry', { body: { host, username, password } }, { signal })
        out.note(
          `images of ${set.host} are pulled as ${set.username} from now on; the first pull tells whether the login is right`,
        )
      }),
    )
  listCommand(registry, 'listRegistries', 'logins; passwords are never shown', registryListing)
  registry
    .command('logout')
    .alias('rm')
    .summary('forget a login')
    .argument('<host>')
    .action(
      action(async ({ client, out, signal, confirm }, [host = '']) => {
        await confirm(`Forget the login at ${host}?`)
        await client.call('removeRegistry', { query: { host } }, { signal })
        out.note(`images of ${host} are pulled without a login from now on`)
      }),
    )
}

const registryListing = (now: number): ListingView<RegistryView> => ({
  headers: ['registry', 'user', 'version', 'age', 'by'],
  row: (each) => [each.host, each.username, String(each.version), formatAge(now - each.updatedAt), each.updatedBy],
  name: (each) => each.host,
  empty: 'no logins: images are pulled as anybody may',
})
