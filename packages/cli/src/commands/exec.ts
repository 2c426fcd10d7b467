import { decodeExecFrame, type ExecExit, encodeExecFrame, execChannel } from '@berth/api'
import { BerthError } from '@berth/core'
import type { Command } from 'commander'
import type { WebSocket } from 'ws'
import type { CommandContext } from '../command-context.ts'
import type { Endpoint } from '../context/transports.ts'
import { Exit, exitCode } from '../exit-code.ts'
import { findAnyInstance, type PoolOption } from '../target.ts'
import { action } from './command.ts'

interface InputOptions {
  readonly interactive?: boolean
  readonly tty?: boolean
}
type ExecOptions = PoolOption & InputOptions

/** Where a command runs: what people call it, and its address in the API. */
interface ExecPlace {
  readonly name: string
  readonly path: string
}

export function registerExec(program: Command): void {
  program
    .command('exec')
    .summary('run a command in an instance')
    .description(
      'Runs a command in an instance and ends with its exit code.\nExamples: berth exec -it web-4 sh · berth exec web-4 -- ls -l · berth exec shop/web env',
    )
    .argument('<instance>', 'web-4, APP/web-4 or a full id; APP/ENTRYPOINT: any that is ready')
    .argument('[command...]', 'left out at a terminal: a shell, as with -it sh')
    .option('-e, --environment <name>')
    .option('-i, --interactive', 'pass standard input on')
    .option('-t, --tty', 'with a terminal')
    .passThroughOptions()
    .action(
      action<ExecOptions>(async (context, [text = '', ...command], options) => {
        const own = command[0] === '--' ? command.slice(1) : command
        const shell = shellOptions(own, options)
        const instance = await findAnyInstance(context, text, options)
        if (instance.chosen) context.out.note(`in ${instance.id}`)
        const place = { name: instance.id, path: `/v1/instances/${encodeURIComponent(instance.id)}/exec` }
        throw new Exit(await runExec(context, place, own.length === 0 ? ['sh'] : own, { ...options, ...shell }))
      }),
    )
}

/** The same on a node itself, for its admins. */
export function registerNodeExec(node: Command): void {
  node
    .command('exec')
    .summary('run a command on a node itself, as root; ends with its exit code')
    .description(
      'Examples: berth node exec h2 -- uptime · berth node exec -it h2 · echo hello | berth node exec -i h2 -- cat',
    )
    .argument('<node>')
    .argument('[command...]', 'left out at a terminal: a shell, as with -it sh')
    .option('-i, --interactive', 'pass standard input on')
    .option('-t, --tty', 'with a terminal')
    .passThroughOptions()
    .action(
      action<InputOptions>(async (context, [name = '', ...command], options) => {
        const own = command[0] === '--' ? command.slice(1) : command
        const place = { name: `node ${name}`, path: `/v1/nodes/${encodeURIComponent(name)}/exec` }
        const shell = shellOptions(own, options)
        throw new Exit(await runExec(context, place, own.length === 0 ? ['sh'] : own, { ...options, ...shell }))
      }),
    )
}

/** A shell without input would end at once and say nothing. */
function shellOptions(command: readonly string[], options: InputOptions): InputOptions {
  if (command.length > 0 || options.interactive === true || options.tty === true) return {}
  if (process.stdin.isTTY === true && process.stdout.isTTY === true) return { interactive: true, tty: true }
  throw new BerthError(
    'usage.no-command',
    'exec: say what to run, or -i to give a shell its commands by standard input',
  )
}

async function runExec(
  context: CommandContext,
  place: ExecPlace,
  command: readonly string[],
  options: InputOptions,
): Promise<number> {
  const tty = options.tty === true
  if (tty && process.stdin.isTTY !== true)
    throw new BerthError('usage.no-terminal', 'exec -t: standard input is no terminal; leave -t out')
  const socket = await connect(context, execPath(place.path, command, tty))
  return new Promise((resolve, reject) => {
    const restore =
      options.interactive === true || tty ? pipeInput(socket, tty) : () => socket.send(frame(execChannel.stdinEnd))
    if (!(options.interactive === true || tty)) restore()
    // Raw terminals send Ctrl-C to the command; otherwise it ends the waiting here, as nothing else would.
    const onInterrupt = () => {
      reject(new Exit(exitCode.interrupted))
      socket.terminate()
    }
    if (context.signal.aborted) onInterrupt()
    else context.signal.addEventListener('abort', onInterrupt, { once: true })
    socket.on('message', (data: Buffer) => {
      const { channel, payload } = decodeExecFrame(data)
      if (channel === execChannel.stdout) process.stdout.write(payload)
      else if (channel === execChannel.stderr) process.stderr.write(payload)
      else if (channel === execChannel.exit) resolve((JSON.parse(Buffer.from(payload).toString()) as ExecExit).code)
      else if (channel === execChannel.error) reject(errorOf(payload))
    })
    socket.resume()
    socket.once('error', reject)
    socket.once('close', (code, reason) => {
      if (options.interactive === true || tty) restore()
      reject(
        new BerthError(
          'exec.closed',
          `the connection to ${place.name} was closed (${code}${reason.length > 0 ? ` ${reason}` : ''}) before the command ended`,
        ),
      )
    })
  })
}

function execPath(path: string, command: readonly string[], tty: boolean): string {
  const query = new URLSearchParams(command.map((word) => ['command', word]))
  if (tty) {
    query.set('tty', 'true')
    const { columns, rows } = terminalSize(process.stdout)
    query.set('columns', String(columns))
    query.set('rows', String(rows))
  }
  return `${path}?${query}`
}

/** A terminal that nobody sized (under `script`, `ssh -tt` or a build) has 0 columns and rows. */
export const terminalSize = ({ columns, rows }: { readonly columns?: number; readonly rows?: number }) => ({
  columns: columns || 80,
  rows: rows || 24,
})

/** The first server that answers is the one to ask: no terminal has begun anywhere before it says so. */
async function connect({ servers }: CommandContext, path: string): Promise<WebSocket> {
  const { WebSocket: Client } = await import('ws')
  let failure: unknown
  for (const endpoint of servers.endpoints) {
    try {
      const socket = await opened(createSocket(Client, endpoint, path, servers.endpoints.length > 1))
      servers.answered(endpoint)
      return socket
    } catch (error) {
      if (error instanceof BerthError) throw error
      failure ??= error
    }
  }
  throw failure
}

const handshakeMs = 3_000

function createSocket(Client: typeof WebSocket, endpoint: Endpoint, path: string, isOneOfMany: boolean): WebSocket {
  const limit = isOneOfMany ? { handshakeTimeout: handshakeMs } : {}
  if (endpoint.type === 'socket') return new Client(`ws+unix:${endpoint.path}:${path}`)
  return new Client(new URL(path, endpoint.url.replace(/^https/, 'wss')), {
    headers: { authorization: `Bearer ${endpoint.token}` },
    ...limit,
    ...(endpoint.authorityPem === undefined ? {} : { ca: endpoint.authorityPem }),
  })
}

function opened(socket: WebSocket): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    socket.once('open', () => {
      // What comes before somebody listens would be lost: a command that cannot be started is said at once.
      socket.pause()
      resolve(socket)
    })
    socket.once('error', reject)
    socket.once('unexpected-response', (_, response) => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part))
      response.once('end', () => reject(refusal(response.statusCode ?? 0, Buffer.concat(parts).toString())))
    })
  })
}

function refusal(status: number, text: string): BerthError {
  try {
    const { error } = JSON.parse(text)
    return new BerthError(error.code, error.message)
  } catch {
    return new BerthError('exec.refused', `the server refused the connection (${status})`)
  }
}

/** Returns how to give the terminal back. */
function pipeInput(socket: WebSocket, tty: boolean): () => void {
  const onData = (chunk: Buffer) => socket.send(frame(execChannel.stdin, chunk))
  const onEnd = () => socket.send(frame(execChannel.stdinEnd))
  const onResize = () => {
    socket.send(frame(execChannel.resize, Buffer.from(JSON.stringify(terminalSize(process.stdout)))))
  }
  if (tty) {
    process.stdin.setRawMode(true)
    process.stdout.on('resize', onResize)
  }
  process.stdin.on('data', onData).once('end', onEnd)
  return () => {
    process.stdin.off('data', onData).off('end', onEnd).pause()
    if (!tty) return
    process.stdin.setRawMode(false)
    process.stdout.off('resize', onResize)
  }
}

const frame = (channel: Parameters<typeof encodeExecFrame>[0], payload: Uint8Array = new Uint8Array()): Uint8Array =>
  encodeExecFrame(channel, payload)

function errorOf(payload: Uint8Array): BerthError {
  const text = Buffer.from(payload).toString()
  try {
    const { error } = JSON.parse(text)
    return new BerthError(error.code, error.message)
  } catch {
    return new BerthError('exec.failed', text)
  }
}
