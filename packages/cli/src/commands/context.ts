import { createClient, type StatusView } from '@berth/api'
import { BerthError, messageOf } from '@berth/core'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { type Context, Contexts, endpointOf } from '../context/contexts.ts'
import { fetchAuthority, parseFingerprint } from '../context/fetch-authority.ts'
import { createTransport } from '../context/transports.ts'
import { readText } from '../files.ts'
import { printListing } from '../output/print.ts'
import { action } from './command.ts'

interface ContextRow {
  readonly name: string
  readonly server: string
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

interface AddOptions {
  readonly authority?: string
  readonly fingerprint?: string
  readonly environment?: string
}

async function addContext(
  { out, signal }: CommandContext,
  [name = '', server = '']: readonly string[],
  options: AddOptions,
): Promise<void> {
  const url = parseServer(server)
  const authorityPem = await authorityOf(url, options, signal)
  const token = process.env.BERTH_TOKEN ?? (await readToken())
  const context: Context = {
    server: url.origin,
    token,
    ...(authorityPem === undefined ? {} : { authorityPem }),
    ...(options.environment === undefined ? {} : { pool: options.environment }),
  }
  const status = await introduce(context, signal).catch((error: unknown) => {
    // A server that is away now may be there tomorrow; one that refuses this token or shows another certificate will refuse it then too.
    if (!(error instanceof BerthError) || error.code !== 'server.unreachable' || isCertificateProblem(error))
      throw error
    out.note(`${out.style.yellow('!')} ${messageOf(error)}; the context is kept all the same`)
  })
  new Contexts().put(name, context)
  const who = status === undefined ? '' : `, you are ${status.actor}, ${status.role}`
  out.note(`context ${name} is ${url.origin}${who}; use it with: berth context use ${name}`)
}

function parseServer(text: string): URL {
  const url = URL.parse(text.includes('://') ? text : `https://${text}`)
  if (url?.protocol === 'https:' && url.hostname !== '') return url
  throw new BerthError('usage.server', `${text} is no server's address; write https://HOST:7600`)
}

async function authorityOf(url: URL, options: AddOptions, signal: AbortSignal): Promise<string | undefined> {
  if (options.authority !== undefined) return readText(options.authority)
  if (options.fingerprint === undefined) return undefined
  return fetchAuthority(url, parseFingerprint(options.fingerprint), signal)
}

const introduce = (context: Context, signal: AbortSignal): Promise<StatusView> =>
  createClient(createTransport(endpointOf(context))).call('getStatus', {}, { signal })

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
