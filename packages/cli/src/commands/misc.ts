import { spawn } from 'node:child_process'
import { createHash, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { connect } from 'node:tls'
import type { StatusView } from '@berth/api'
import { BerthError } from '@berth/core'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { Contexts } from '../context/contexts.ts'
import { printItem, printListing } from '../output/print.ts'
import type { Style } from '../output/style.ts'
import { type PoolOption, parseTarget } from '../target.ts'
import { action } from './command.ts'

export function registerMisc(program: Command): void {
  registerStatus(program)
  registerContexts(program)
  registerOpen(program)
}

function registerStatus(program: Command): void {
  program
    .command('status')
    .summary('the cluster at a glance')
    .action(
      action(async ({ client, out, form, signal, contextName }) => {
        const status = await client.call('getStatus', {}, { signal })
        await printItem(status, form, out, (each) => statusText(each, contextName, out.style))
        if (status.authority !== undefined && new Contexts().learnAuthority(contextName, status.authority.trustPem))
          out.note(`context ${contextName} knows the renewed authority of its cluster from now on`)
      }),
    )
}

function statusText(status: StatusView, contextName: string, style: Style): string {
  const { authority } = status
  const day = (at: number): string => new Date(at).toISOString().slice(0, 10)
  return [
    `context    ${contextName} (you are ${status.actor}, ${status.role})`,
    `server     ${status.version}, up since ${new Date(status.startedAt).toISOString()}`,
    `nodes      ${status.nodesOnline} of ${status.nodes} online`,
    `apps       ${status.apps}`,
    `instances  ${status.instancesReady} of ${status.instances} ready`,
    `gateway    ${status.gatewayUrl ?? '-'}`,
    `console    ${status.consoleUrl ?? '-'}`,
    ...(authority === undefined ? [] : [`authority  ${authority.fingerprint}, until ${day(authority.expiresAt)}`]),
    ...(status.problems ?? []).map((problem) => `${style.red('problem')}    ${problem}`),
  ].join('\n')
}

interface ContextRow {
  readonly name: string
  readonly server: string
  readonly current: boolean
}

function registerContexts(program: Command): void {
  const context = program.command('context').alias('ctx').summary('servers that you work with')
  context
    .command('ls')
    .summary('contexts')
    .action(
      action(async ({ out, form }) => {
        const file = new Contexts().read()
        const rows: ContextRow[] = Object.entries(file.contexts).map(([name, each]) => ({
          name,
          server: each.server,
          current: name === file.current,
        }))
        await printListing(
          rows,
          {
            headers: ['', 'context', 'server'],
            row: (each) => [each.current ? '*' : '', each.name, each.server],
            name: (each) => each.name,
            empty: 'no contexts',
          },
          form,
          out,
        )
      }),
    )
  context
    .command('use')
    .argument('<context>')
    .summary('work with this server from now on')
    .action(
      action(async ({ out }, [name = '']) => {
        new Contexts().use(name)
        out.note(`context ${name}`)
      }),
    )
  context
    .command('add')
    .argument('<name>')
    .argument('<server>', 'https://HOST:7600')
    .summary('add a server; its token is read from standard input or BERTH_TOKEN')
    .option('--authority <file>', "the server's authority, PEM")
    .option('--fingerprint <sha256>', "fetch the server's authority and trust it if it has this fingerprint")
    .option('--environment <name>', 'environment when none is said')
    .action(action<{ authority?: string; fingerprint?: string; environment?: string }>(addContext))
  context
    .command('rm')
    .argument('<context>')
    .summary('forget a server')
    .action(
      action(async ({ out, confirm }, [name = '']) => {
        await confirm(`Forget context ${name}?`)
        new Contexts().remove(name)
        out.note(`context ${name} is forgotten`)
      }),
    )
}

async function addContext(
  { out, signal }: CommandContext,
  [name = '', server = '']: readonly string[],
  options: { authority?: string; fingerprint?: string; environment?: string },
): Promise<void> {
  const url = server.includes('://') ? server : `https://${server}`
  const authorityPem =
    options.authority !== undefined
      ? readFileSync(options.authority, 'utf8')
      : options.fingerprint === undefined
        ? undefined
        : await fetchAuthority(new URL(url), options.fingerprint.replaceAll(':', '').toLowerCase(), signal)
  const token = process.env.BERTH_TOKEN ?? (await readToken())
  new Contexts().put(name, {
    server: url,
    token,
    ...(authorityPem === undefined ? {} : { authorityPem }),
    ...(options.environment === undefined ? {} : { pool: options.environment }),
  })
  out.note(`context ${name} is ${url}; use it with: berth context use ${name}`)
}

async function readToken(): Promise<string> {
  if (process.stdin.isTTY === true) process.stderr.write('token: ')
  for await (const chunk of process.stdin.setEncoding('utf8')) {
    process.stdin.pause()
    return (chunk as string).trim()
  }
  throw new BerthError(
    'usage.no-token',
    'no token came on standard input; an admin makes one with `berth token create`',
  )
}

/** The chain that the server shows, searched for a certificate of exactly this fingerprint. */
function fetchAuthority(url: URL, fingerprint: string, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(
      { host: url.hostname, port: Number(url.port || 443), rejectUnauthorized: false, servername: url.hostname },
      () => {
        for (
          let each = socket.getPeerCertificate(true), last: Buffer | undefined;
          each?.raw !== undefined && !each.raw.equals(last ?? Buffer.alloc(0));
        ) {
          if (createHash('sha256').update(each.raw).digest('hex') === fingerprint) {
            socket.destroy()
            return resolve(new X509Certificate(each.raw).toString())
          }
          last = each.raw
          each = each.issuerCertificate
        }
        socket.destroy()
        reject(
          new BerthError(
            'context.wrong-fingerprint',
            `${url.host} shows no certificate with fingerprint ${fingerprint}: it is another server, or somebody is in between`,
          ),
        )
      },
    )
    socket.once('error', (error) => reject(new BerthError('server.unreachable', `reach ${url.host}: ${error.message}`)))
    signal.addEventListener('abort', () => socket.destroy(), { once: true })
  })
}

function registerOpen(program: Command): void {
  program
    .command('open')
    .summary('open an app, or the console, in the browser')
    .argument('[app]', 'APP; left out: the console')
    .option('-e, --environment <name>')
    .option('--ui', 'the console at this app')
    .option('--print', 'only print the address')
    .action(
      action<PoolOption & { ui?: boolean; print?: boolean }>(async (context, [text], options) => {
        const url = await addressOf(context, text, options)
        context.out.line(url)
        const opener = process.env.BROWSER ?? 'xdg-open'
        if (options.print === true || !context.out.isTerminal) return
        spawn(opener, [url], { stdio: 'ignore', detached: true })
          .once('error', () => context.out.note(`${opener} could not be started; open the address yourself`))
          .unref()
      }),
    )
}

async function addressOf(
  context: CommandContext,
  text: string | undefined,
  options: PoolOption & { ui?: boolean },
): Promise<string> {
  const { client, signal } = context
  if (text === undefined || options.ui === true) {
    const { consoleUrl } = await client.call('getStatus', {}, { signal })
    if (consoleUrl === undefined)
      throw new BerthError('console.none', 'the server has no address for people; start it with --listen')
    return text === undefined
      ? consoleUrl
      : `${consoleUrl.replace(/\/$/, '')}/apps/${encodeURIComponent(parseTarget(text, context, options).app)}`
  }
  const { app, pool } = parseTarget(text, context, options)
  const found = await client.call('getApp', { params: { app } }, { signal })
  const url = found.pools.find((each) => each.name === pool)?.urls[0]
  if (url === undefined)
    throw new BerthError('route.none', `${app}@${pool} has no route; give it one under routes: in its berth.yaml`)
  return url
}
