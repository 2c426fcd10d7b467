import { createClient, type StatusView } from '@berth/api'
import { BerthError, messageOf } from '@berth/core'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { type Context, Contexts, endpointsOf } from '../context/contexts.ts'
import { Failover } from '../context/failover.ts'
import { fetchAuthority, parseFingerprint } from '../context/fetch-authority.ts'
import type { Endpoint } from '../context/transports.ts'
import { readText } from '../files.ts'
import { type ListingView, printItem, printListing } from '../output/print.ts'
import { action } from './command.ts'

interface ContextRow {
  readonly name: string
  readonly server: string
  /** All of its servers, those that were learned as well. */
  readonly servers: readonly string[]
  readonly current: boolean
}

export function registerContexts(program: Command): void {
  const context = program.command('context').alias('ctx').summary('servers that you work with')
  context
    .command('ls')
    .summary('contexts')
    .action(
      action(async ({ out, form }) => {
        const file = new Contexts().read()
        const rows = Object.entries(file.contexts).map(([name, each]) => rowOf(name, each, file.current))
        await printListing(rows, contextListing, form, out)
      }),
    )
  context
    .command('show')
    .argument('[context]', 'left out: the one in use')
    .summary('addresses of all servers of a context')
    .action(action(showContext))
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
    .argument('[server]', 'https://HOST:7600')
    .summary('add a server; its token is read from standard input or BERTH_TOKEN')
    .option('--server <url>', 'address of another server of the same cluster; may be repeated', collect, [])
    .option('--authority <file>', "the server's authority, PEM")
    .option('--fingerprint <sha256>', "fetch the server's authority and trust it if it has this fingerprint")
    .option('--environment <name>', 'environment when none is said')
    .action(action<AddOptions>(addContext))
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

const collect = (text: string, before: readonly string[]): readonly string[] => [...before, text]

const rowOf = (name: string, context: Context, current: string): ContextRow => ({
  ...{ name, server: context.server, current: name === current },
  servers: endpointsOf(context).map(addressOf),
})

const addressOf = (endpoint: Endpoint): string => (endpoint.type === 'socket' ? `unix:${endpoint.path}` : endpoint.url)

const contextListing: ListingView<ContextRow> = {
  headers: ['', 'context', 'server'],
  row: (each) => [
    each.current ? '*' : '',
    each.name,
    each.servers.length < 2 ? each.server : `${each.server} and ${each.servers.length - 1} more`,
  ],
  wideHeaders: ['servers'],
  wideRow: (each) => [each.servers.join(' ')],
  name: (each) => each.name,
  empty: 'no contexts',
}

async function showContext({ out, form, contextName }: CommandContext, [named]: readonly string[]): Promise<void> {
  const contexts = new Contexts()
  const { name, context } = contexts.active(named ?? contextName)
  const given = new Set(endpointsOf({ ...context, learned: [] }).map(addressOf))
  const { answered } = contexts.memory.of(name)
  const servers = endpointsOf(context).map((endpoint) => {
    const address = addressOf(endpoint)
    return { address, learned: !given.has(address), ...(address === answered ? { answered: true } : {}) }
  })
  const { pool } = context
  const shown = { name, servers, ...(pool === undefined ? {} : { environment: pool }) }
  await printItem(shown, form, out, () =>
    [
      `context      ${name}`,
      ...(pool === undefined ? [] : [`environment  ${pool}`]),
      ...servers.map(({ address, learned, answered: last }) => {
        const notes = [...(learned ? ['told by a server'] : []), ...(last === true ? ['answered last'] : [])]
        return `server       ${address}${notes.length === 0 ? '' : `  (${notes.join(', ')})`}`
      }),
    ].join('\n'),
  )
}

interface AddOptions {
  readonly server: readonly string[]
  readonly authority?: string
  readonly fingerprint?: string
  readonly environment?: string
}

async function addContext(
  { out, signal }: CommandContext,
  [name = '', first]: readonly string[],
  options: AddOptions,
): Promise<void> {
  const urls = [...(first === undefined ? [] : [first]), ...options.server].map(parseServer)
  const [url, ...others] = [...new Set(urls.map(({ origin }) => origin))]
  if (url === undefined)
    throw new BerthError('usage.server', 'say where a server is: berth context add NAME https://HOST:7600')
  const authorityPem = await authorityOf(urls, options, signal)
  const token = process.env.BERTH_TOKEN ?? (await readToken())
  const context: Context = {
    ...{ server: url, token },
    ...(others.length === 0 ? {} : { others }),
    ...(authorityPem === undefined ? {} : { authorityPem }),
    ...(options.environment === undefined ? {} : { pool: options.environment }),
  }
  const contexts = new Contexts()
  const status = await introduce(context, signal).catch((error: unknown) => {
    // A server that is away now may be there tomorrow; one that refuses this token or shows another certificate will refuse it then too.
    if (!(error instanceof BerthError) || error.code !== 'server.unreachable' || isCertificateProblem(error))
      throw error
    out.note(`${out.style.yellow('!')} ${messageOf(error)}; the context is kept all the same`)
  })
  contexts.put(name, context)
  const told = status?.servers?.flatMap(({ apiAddress }) => apiAddress ?? []) ?? []
  contexts.learnServers(name, told)
  const who = status === undefined ? '' : `, you are ${status.actor}, ${status.role}`
  const known = endpointsOf(contexts.active(name).context).length
  const more = known < 2 ? '' : ` with ${known} servers`
  out.note(`context ${name} is ${url}${more}${who}; use it with: berth context use ${name}`)
}

function parseServer(text: string): URL {
  const url = URL.parse(text.includes('://') ? text : `https://${text}`)
  if (url?.protocol === 'https:' && url.hostname !== '') return url
  throw new BerthError('usage.server', `${text} is no server's address; write https://HOST:7600`)
}

/** All servers of a cluster have one: the first that answers shows it. */
async function authorityOf(
  urls: readonly URL[],
  options: AddOptions,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (options.authority !== undefined) return readText(options.authority)
  if (options.fingerprint === undefined) return undefined
  const fingerprint = parseFingerprint(options.fingerprint)
  for (const [at, url] of urls.entries()) {
    try {
      return await fetchAuthority(url, fingerprint, signal)
    } catch (error) {
      const isAway = error instanceof BerthError && error.code === 'server.unreachable'
      if (!isAway || at === urls.length - 1) throw error
    }
  }
  return undefined
}

const introduce = (context: Context, signal: AbortSignal): Promise<StatusView> =>
  createClient(new Failover({ endpoints: endpointsOf(context) }).transport).call('getStatus', {}, { signal })

const isCertificateProblem = (error: BerthError): boolean => /certificate/.test(error.message)

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
