import type { CertificateView, NodeView, SecretView, TokenView } from '@berth/api'
import { BerthError } from '@berth/core'
import { type Command, Option } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { readText } from '../files.ts'
import { formatAge, formatBytes, formatCores } from '../output/format.ts'
import { type ListingView, printItem, printListing } from '../output/print.ts'
import { action } from './command.ts'
import { parseDuration } from './logs.ts'

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
        const value = options.file === undefined ? await readSecret(name, signal) : readText(options.file)
        const body = { value, ...(options.environment === undefined ? {} : { environment: options.environment }) }
        const set = await client.call('setSecret', { params: { app, name }, body }, { signal })
        out.note(
          `secret ${name} of ${app}${set.environment === undefined ? '' : ` in ${set.environment}`} is set (version ${set.version}); running instances get it with: berth restart ${app}`,
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
          await confirm(`Remove secret ${name} of ${app}?`)
          await client.call('removeSecret', { params: { app, name }, query: { environment } }, { signal })
          out.note(`secret ${name} of ${app} is removed`)
        },
      ),
    )
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

/** From a pipe as it is (without the last newline), from a terminal without showing it. */
async function readSecret(name: string, signal: AbortSignal): Promise<string> {
  const { stdin, stderr } = process
  const tty = stdin.isTTY === true
  if (tty) {
    stderr.write(`value of ${name} (not shown, end with Enter): `)
    stdin.setRawMode(true)
  }
  try {
    return await readInput(tty, signal)
  } finally {
    if (tty) {
      stdin.setRawMode(false)
      stderr.write('\n')
    }
    stdin.pause()
  }
}

async function readInput(tty: boolean, signal: AbortSignal): Promise<string> {
  let text = ''
  process.stdin.setEncoding('utf8')
  for await (const chunk of process.stdin) {
    signal.throwIfAborted()
    for (const character of chunk as string) {
      if (tty && character === '\u0003') throw new BerthError('usage.interrupted', 'nothing was set')
      if (tty && (character === '\r' || character === '\n')) return text
      if (tty && character === '\u007f') text = text.slice(0, -1)
      else text += character
    }
  }
  return text.replace(/\r?\n$/, '')
}

function registerNodes(program: Command): void {
  const node = program.command('node').alias('nodes').summary('list, label, cordon and add nodes')
  node
    .command('ls')
    .summary('nodes')
    .action(
      action(async ({ client, out, form, signal }) => {
        const { items } = await client.list('listNodes', {}, { signal })
        await printListing(items, nodeListing(out.style), form, out)
        if (form === 'table') for (const note of problemsOf(items)) out.note(note)
      }),
    )
  node
    .command('show')
    .argument('<node>')
    .summary('everything about a node')
    .action(
      action(async ({ client, out, form, signal }, [name = '']) => {
        const found = await client.call('getNode', { params: { name } }, { signal })
        await printItem(found, form, out, (each) => JSON.stringify(each, null, 2))
      }),
    )
  node
    .command('label')
    .summary('set labels (KEY=VALUE) or remove them (KEY-); at once, without a restart')
    .argument('<node>')
    .argument('<labels...>')
    .action(action(async (context, [name = '', ...words]) => updateNode(context, name, { labels: parseLabels(words) })))
  node
    .command('cordon')
    .argument('<node>')
    .summary('place nothing new on it')
    .action(action(async (context, [name = '']) => updateNode(context, name, { schedulable: false })))
  node
    .command('uncordon')
    .argument('<node>')
    .summary('place on it again')
    .action(action(async (context, [name = '']) => updateNode(context, name, { schedulable: true })))
  node
    .command('rm')
    .argument('<node>')
    .summary('forget a node that runs nothing')
    .action(
      action(async ({ client, out, signal, confirm }, [name = '']) => {
        await confirm(`Forget node ${name}?`)
        await client.call('removeNode', { params: { name } }, { signal })
        out.note(`node ${name} is forgotten`)
      }),
    )
  node
    .command('token')
    .summary('a one-time token with the command that joins a machine')
    .option('--ttl <duration>', 'valid for so long', '1h')
    .action(
      action<{ ttl: string }>(async ({ client, out, form, signal }, _, { ttl }) => {
        const token = await client.call('createJoinToken', { body: { ttlMs: parseDuration(ttl) } }, { signal })
        await printItem(token, form, out, (each) => each.command)
      }),
    )
}

const problemsOf = (nodes: readonly NodeView[]): string[] =>
  nodes.flatMap((node) => node.problems.map((problem) => `${node.name}: ${problem}`))

export function parseLabels(words: readonly string[]): Record<string, string | null> {
  const labels: Record<string, string | null> = {}
  for (const word of words) {
    const match = /^([A-Za-z0-9][\w./-]{0,62})(?:=(.*)|(-))$/.exec(word)
    if (match === null)
      throw new BerthError('usage.label', `${word} is no label; write KEY=VALUE to set it, KEY- to remove it`)
    labels[match[1] ?? ''] = match[3] === '-' && match[2] === undefined ? null : (match[2] ?? '')
  }
  return labels
}

async function updateNode(
  { client, out, form, signal }: CommandContext,
  name: string,
  body: { labels?: Record<string, string | null>; schedulable?: boolean },
): Promise<void> {
  const node = await client.call('updateNode', { params: { name }, body }, { signal })
  await printListing([node], nodeListing(out.style), form, out)
}

const nodeListing = (style: CommandContext['out']['style']): ListingView<NodeView> => ({
  headers: ['node', 'state', 'address', 'instances', 'cpu', 'memory', 'disk free', 'labels'],
  row: (each) => [
    each.name,
    each.online ? (each.schedulable ? style.green('online') : style.yellow('cordoned')) : style.red('offline'),
    each.address,
    String(each.instances),
    `${formatCores(each.cpuGivenMilli)}/${formatCores(each.cpuMilli)}`,
    `${formatBytes(each.memoryGivenBytes)}/${formatBytes(each.memoryBytes)}`,
    formatBytes(each.diskFreeBytes),
    Object.entries(each.labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(',') || '-',
  ],
  wideHeaders: ['block', 'engine', 'agent', 'cgroup', 'kernel', 'problems'],
  wideRow: (each) => [
    each.block,
    each.engineVersion,
    each.agentVersion,
    each.cgroup,
    each.kernel,
    each.problems.join('; '),
  ],
  name: (each) => each.name,
  empty: 'no nodes yet; run `berth up` here, or `berth node token` for other machines',
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
  token
    .command('ls')
    .summary('tokens')
    .action(
      action(async ({ client, out, form, signal }) => {
        const { items } = await client.list('listTokens', {}, { signal })
        await printListing(items, tokenListing(Date.now()), form, out)
      }),
    )
  token
    .command('rm')
    .argument('<name>')
    .summary('revoke a token at once')
    .action(
      action(async ({ client, out, signal, confirm }, [name = '']) => {
        await confirm(`Revoke token ${name}?`)
        await client.call('removeToken', { params: { name } }, { signal })
        out.note(`token ${name} is revoked`)
      }),
    )
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
      }),
    )
  certificate
    .command('ls')
    .summary('certificates')
    .action(
      action(async ({ client, out, form, signal }) => {
        const { items } = await client.list('listCertificates', {}, { signal })
        await printListing(items, certificateListing(Date.now()), form, out)
      }),
    )
  certificate
    .command('rm')
    .argument('<name>')
    .summary('remove a certificate')
    .action(
      action(async ({ client, out, signal, confirm }, [name = '']) => {
        await confirm(`Remove certificate ${name}?`)
        await client.call('removeCertificate', { params: { name } }, { signal })
        out.note(`certificate ${name} is removed`)
      }),
    )
}

const certificateListing = (now: number): ListingView<CertificateView> => ({
  headers: ['hosts', 'valid for', 'age', 'by'],
  row: (each) => [
    each.hosts.join(','),
    formatAge(each.notAfter - now),
    formatAge(now - each.updatedAt),
    each.updatedBy,
  ],
  name: (each) => each.hosts[0] ?? '',
  empty: 'no certificates',
})
