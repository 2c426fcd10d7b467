import type { CertificateView, SecretView, TokenView } from '@berth/api'
import { secretUses } from '@berth/api/secret-uses'
import { BerthError } from '@berth/core'
import { type Command, Option } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { readText } from '../files.ts'
import { formatAge } from '../output/format.ts'
import { type ListingView, printItem, printListing } from '../output/print.ts'
import { readSecret } from '../read-secret.ts'
import { findLocalApp } from '../target.ts'
import { registerCertAcme } from './cert-acme.ts'
import { action } from './command.ts'
import { parseDuration } from './logs.ts'
import { listCommand, removeCommand } from './named-commands.ts'
import { registerNodes } from './nodes.ts'

export { parseLabels } from './nodes.ts'

export function registerAdmin(program: Command): void {
  registerSecrets(program)
  registerNodes(program)
  registerTokens(program)
  registerCertificates(program)
}

function registerSecrets(program: Command): void {
  const secret = program.command('secret').summary('set, list and remove secrets')
  secret
    .command('set')
    .summary('set a secret; its value comes from standard input or a file, never from the command line')
    .argument('<app>')
    .argument('<name>')
    .option('-e, --environment <name>', 'only for this environment (default: for all)')
    .option('-f, --file <path>', 'read the value from this file')
    .action(
      action<{ environment?: string; file?: string }>(async (context, [app = '', name = ''], options) => {
        const { client, out, signal } = context
        const value = options.file === undefined ? await readSecret(`value of ${name}`, signal) : readText(options.file)
        const body = { value, ...(options.environment === undefined ? {} : { environment: options.environment }) }
        const set = await beforeItsFirstDeploy(context, app, () =>
          client.call('setSecret', { params: { app, name }, body }, { signal }),
        )
        out.note(
          `secret ${name} of ${app}${set.environment === undefined ? '' : ` in ${set.environment}`} is set (version ${set.version}); instances that use it get it with: berth restart ${app}`,
        )
      }),
    )
  secret
    .command('ls')
    .summary('names of secrets; values are never shown')
    .argument('<app>')
    .action(
      action(async ({ client, out, form, signal }, [app = '']) => {
        const { items } = await client.list('listSecrets', { params: { app } }, { signal })
        await printListing(items, secretListing(Date.now()), form, out)
      }),
    )
  secret
    .command('rm')
    .summary('remove a secret')
    .argument('<app>')
    .argument('<name>')
    .option('-e, --environment <name>')
    .action(
      action<{ environment?: string }>(
        async ({ client, out, signal, confirm }, [app = '', name = ''], { environment }) => {
          const releases = await client.list('listReleases', { params: { app } }, { signal })
          const secrets = await client.list('listSecrets', { params: { app } }, { signal })
          const removed = { name, ...(environment === undefined ? {} : { environment }) }
          for (const { pool, release, entrypoints } of secretUses(releases.items, removed, secrets.items))
            out.note(
              `${out.style.red('!')} ${pool} runs ${release}, which names it (${entrypoints.join(', ')}): its deploys and restarts are refused without it`,
            )
          await confirm(`Remove secret ${name} of ${app}?`)
          await client.call('removeSecret', { params: { app, name }, query: { environment } }, { signal })
          out.note(`secret ${name} of ${app} is removed`)
        },
      ),
    )
}

/** An app is registered by its first deploy, which needs its secrets: the app of the berth.yaml here is registered before, any other is a mistake. */
async function beforeItsFirstDeploy<T>(
  { client, signal }: CommandContext,
  app: string,
  set: () => Promise<T>,
): Promise<T> {
  try {
    return await set()
  } catch (error) {
    if (!(error instanceof BerthError) || error.code !== 'app.not-found' || findLocalApp()?.app !== app) throw error
    await client.call('createApp', { body: { name: app } }, { signal })
    return set()
  }
}

const secretListing = (now: number): ListingView<SecretView> => ({
  headers: ['name', 'environment', 'version', 'age', 'by'],
  row: (each) => [
    each.name,
    each.environment ?? '(all)',
    String(each.version),
    formatAge(now - each.updatedAt),
    each.updatedBy,
  ],
  name: (each) => each.name,
  empty: 'no secrets',
})

function registerTokens(program: Command): void {
  const token = program.command('token').summary('access tokens of people and programs')
  token
    .command('create')
    .argument('<name>')
    .summary('make a token; its text is shown this once')
    .addOption(
      new Option('--role <role>', 'admin, deployer or viewer')
        .choices(['admin', 'deployer', 'viewer'])
        .makeOptionMandatory(),
    )
    .option('--owner <owner>', 'whose it is (default: its name)')
    .option('--ttl <duration>', 'valid for so long (default: for ever)')
    .action(
      action<{ role: 'admin' | 'deployer' | 'viewer'; owner?: string; ttl?: string }>(
        async ({ client, out, form, signal }, [name = ''], options) => {
          const body = {
            name,
            role: options.role,
            owner: options.owner ?? name,
            ...(options.ttl === undefined ? {} : { ttlMs: parseDuration(options.ttl) }),
          }
          const made = await client.call('createToken', { body }, { signal })
          await printItem(made, form, out, (each) => each.token)
          const { consoleUrl, authority } = await client.call('getStatus', {}, { signal })
          if (consoleUrl !== undefined && form === 'table') sayWhereTo(out, consoleUrl, authority?.fingerprint)
        },
      ),
    )
  listCommand(token, 'listTokens', 'tokens', tokenListing)
  removeCommand(token, 'removeToken', {
    summary: 'revoke a token at once',
    question: (name) => `Revoke token ${name}?`,
    done: (name) => `token ${name} is revoked`,
  })
}

/** What a token is for, as commands to copy; the token itself stays out of them, for command lines are seen by everybody. */
function sayWhereTo(out: CommandContext['out'], consoleUrl: string, fingerprint: string | undefined): void {
  const url = consoleUrl.replace(/\/$/, '')
  out.note(`console: ${url}/login`)
  const trust = fingerprint === undefined ? '' : ` --fingerprint ${fingerprint}`
  out.note(`elsewhere: berth context add NAME ${url}${trust}`)
}

const tokenListing = (now: number): ListingView<TokenView> => ({
  headers: ['name', 'owner', 'role', 'age', 'expires'],
  row: (each) => [
    each.name,
    each.owner,
    each.role,
    formatAge(now - each.createdAt),
    each.expiresAt === undefined ? 'never' : `in ${formatAge(each.expiresAt - now)}`,
  ],
  name: (each) => each.name,
  empty: 'no tokens',
})

function registerCertificates(program: Command): void {
  const certificate = program.command('cert').summary('certificates of the gateway')
  registerCertAcme(certificate)
  certificate
    .command('set')
    .argument('<name>')
    .summary('give the gateway a certificate; it serves the names in it')
    .requiredOption('--cert <file>', 'PEM, leaf first')
    .requiredOption('--key <file>', 'PEM')
    .action(
      action<{ cert: string; key: string }>(async ({ client, out, signal }, [name = ''], options) => {
        const body = { certificatePem: readText(options.cert), keyPem: readText(options.key) }
        const set = await client.call('setCertificate', { params: { name }, body }, { signal })
        out.note(`${set.hosts.join(', ')}: valid until ${new Date(set.notAfter).toISOString().slice(0, 10)}`)
        for (const { host, by } of set.superseded ?? [])
          out.note(
            `warning: ${host} is shown the certificate ${by}, which is valid longer; berth cert rm ${by} ends that`,
          )
      }),
    )
  listCommand(certificate, 'listCertificates', 'certificates', certificateListing)
  removeCommand(certificate, 'removeCertificate', {
    summary: 'remove a certificate',
    question: (name) => `Remove certificate ${name}?`,
    done: (name) => `certificate ${name} is removed`,
  })
}

const certificateListing = (now: number): ListingView<CertificateView> => ({
  headers: ['hosts', 'valid for', 'age', 'by', 'not shown for'],
  row: (each) => [
    each.hosts.join(','),
    formatAge(each.notAfter - now),
    formatAge(now - each.updatedAt),
    each.updatedBy,
    (each.superseded ?? []).map(({ host, by }) => `${host} (${by} is)`).join(', ') || '-',
  ],
  name: (each) => each.hosts[0] ?? '',
  empty: 'no certificates',
})
