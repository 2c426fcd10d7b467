import { spawn } from 'node:child_process'
import { hostname, networkInterfaces } from 'node:os'
import { createClient } from '@berth/api'
import { BerthError, messageOf, proposeName } from '@berth/core'
import {
  bringUp,
  defaultRunDir,
  defaultStateDir,
  findProgram,
  type HostConfig,
  type HostPaths,
  hasSystemd,
  hostPaths,
  lookBeforeDocker,
  probeDocker,
  readHostConfig,
  removeDockerRemains,
  takeDown,
  waitFor,
  waitForDocker,
  writeHostConfig,
} from '@berth/host'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { createTransport } from '../context/transports.ts'
import { parseLabels } from './admin.ts'
import { action } from './command.ts'

interface HostOptions {
  readonly stateDir: string
  readonly runDir: string
  readonly node?: string
  readonly address?: string
  readonly label: readonly string[]
  readonly docker: string
  readonly listen: string
  readonly agentListen: string
  readonly name: readonly string[]
  readonly addressPool: string
  readonly httpPort: string
  readonly httpsPort: string
  readonly keepEnded: string
  readonly server?: string
}

/** How the CLI is called again for the roles (`server`, `agent` …). */
export type Program = () => readonly string[]

const collect = (word: string, words: readonly string[]): string[] => [...words, word]

export const registerHost =
  (program: Program) =>
  (root: Command): void => {
    registerUp(root, program)
    registerDown(root, program)
    registerJoin(root, program)
  }

const folders = (command: Command): Command =>
  command
    .option('--state-dir <dir>', 'where everything is kept', defaultStateDir)
    .option('--run-dir <dir>', 'sockets and pid files', defaultRunDir)

const machine = (command: Command): Command =>
  folders(command)
    .option('--node <name>', "this machine's name in the cluster (default: its host name)")
    .option('--address <ip>', 'address at which other machines reach this one')
    .option('--label <key=value>', 'label of the node; may be repeated', collect, [])
    .option('--docker <socket>', "Docker's socket", '/var/run/docker.sock')
    .option('--http-port <port>', "the gateway's port", '80')
    .option('--https-port <port>', "the gateway's port for TLS; 0: none", '443')
    .option('--keep-ended <days>', 'how long what instances left in /persist is kept after their end', '7')

function registerUp(root: Command, program: Program): void {
  machine(root.command('up'))
    .summary('make this machine a cluster of one: server, agent and gateway')
    .description(
      'Starts server, agent, names and gateway on this machine, under systemd or a small supervisor. Doing it again is harmless.',
    )
    .option('--listen <address:port>', 'API and console, by TLS', '0.0.0.0:7600')
    .option('--agent-listen <address:port>', 'where agents dial in, by mutual TLS', '0.0.0.0:7601')
    .option('--name <name>', "name or address in the server's certificate; may be repeated", collect, [])
    .option('--address-pool <block>', 'addresses of instances; each node gets a /24 of it', '10.77.0.0/16')
    .action(action<HostOptions>((context, _, options) => up(context, options, program())))
}

async function up(context: CommandContext, options: HostOptions, program: readonly string[]): Promise<void> {
  const { out, signal } = context
  const paths = hostPaths(options.stateDir, options.runDir)
  const config = await configOf(options, paths, true)
  const log = (message: string) => out.note(`${out.style.green('✔')} ${message}`)
  await bringUp({ paths, config, program, log, signal })
  if (config.superviseDocker) await waitForDocker(config.dockerSocket, paths, signal)
  const client = createClient(createTransport({ type: 'socket', path: paths.serverSocket }))
  await waitFor(
    `the server (its log: ${paths.logs}/server.log; it may still come: berth up again goes on from here)`,
    () =>
      client.call('getVersion', {}, { signal }).then(
        () => true,
        () => false,
      ),
    60_000,
    signal,
  )
  log('server answers')
  const nodes = await client.list('listNodes', {}, { signal })
  if (!nodes.items.some((node) => node.name === config.node)) {
    const { token } = await client.call('createJoinToken', { body: { ttlMs: 300_000 } }, { signal })
    await enrol(paths, config, program, `127.0.0.1:${portOf(options.listen)}`, token, signal)
    log(`node ${config.node} has joined`)
  }
  const isOnline = async () =>
    (await client.list('listNodes', {}, { signal })).items.some((node) => node.name === config.node && node.online)
  await waitFor(`node ${config.node} to come online (its log: ${paths.logs}/agent.log)`, isOnline, 60_000, signal)
  log(`node ${config.node} is online`)
  const status = await client.call('getStatus', {}, { signal })
  out.line(`Console: ${status.consoleUrl ?? `https://${config.address}:${portOf(options.listen)}`}`)
  out.note('a token to log in with: berth token create NAME --role admin')
}

async function configOf(options: HostOptions, paths: HostPaths, withServer: boolean): Promise<HostConfig> {
  const address = options.address ?? ownAddress()
  const node = options.node ?? proposeName(hostname()) ?? 'node'
  const labels = Object.fromEntries(
    Object.entries(parseLabels(options.label)).map(([key, value]) => [key, value ?? '']),
  )
  const base = {
    node,
    address,
    labels: { gateway: 'true', ...labels },
    dockerSocket: options.docker,
    ...(await ownDocker(options.docker, paths)),
    gateway: { httpPort: parsePort(options.httpPort), httpsPort: parsePort(options.httpsPort) },
    keepEndedDays: parseDays(options.keepEnded),
  }
  if (!withServer) return base
  const { listen, agentListen, name: names, addressPool } = options
  const port = base.gateway.httpPort === 80 ? '' : `:${base.gateway.httpPort}`
  return {
    ...base,
    server: {
      listen,
      agentListen,
      names: [...names, address, node],
      addressPool,
      gatewayUrl: `http://${address}${port}`,
    },
  }
}

/** Where nobody else looks after Docker (no systemd, and none answers), its engine is run here; once taken on, it stays so. */
async function ownDocker(
  socket: string,
  paths: HostPaths,
): Promise<Pick<HostConfig, 'superviseDocker' | 'beforeDocker'>> {
  if (hasSystemd() || findProgram('dockerd') === undefined || socket !== '/var/run/docker.sock')
    return { superviseDocker: false }
  const former = readHostConfig(paths.config)
  const beforeDocker = former?.superviseDocker === true ? former.beforeDocker : lookBeforeDocker()
  const superviseDocker = former?.superviseDocker === true || (await probeDocker(socket)) !== undefined
  return { superviseDocker, ...(superviseDocker && beforeDocker !== undefined ? { beforeDocker } : {}) }
}

function parsePort(text: string): number {
  const port = Number(text)
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new BerthError('usage.port', `${text} is no port`)
  return port
}

function parseDays(text: string): number {
  const days = Number(text)
  if (text.trim() === '' || !(days >= 0)) throw new BerthError('usage.days', `${text} is no number of days`)
  return days
}

const portOf = (listen: string): string => listen.slice(listen.lastIndexOf(':') + 1)

/** The first address of this machine that others could reach. */
function ownAddress(): string {
  const own = Object.entries(networkInterfaces())
    .filter(([name]) => !/^(docker|br-|veth|berth)/.test(name))
    .flatMap(([, addresses]) => addresses ?? [])
  return own.find((each) => each.family === 'IPv4' && !each.internal)?.address ?? '127.0.0.1'
}

/** The agent's own half of joining; the token goes by standard input, since arguments can be seen by everybody. */
async function enrol(
  paths: HostPaths,
  config: HostConfig,
  program: readonly string[],
  server: string,
  token: string,
  signal: AbortSignal,
): Promise<void> {
  const problem = await runRole(
    program,
    ['agent', 'join', ...folderArguments(paths), '--server', server],
    token,
    signal,
  )
  if (problem !== '') throw new BerthError('node.join-failed', `join as ${config.node}: ${problem}`)
}

/** Runs a role of this program to its end; returns what it complained of, or nothing. */
function runRole(
  program: readonly string[],
  args: readonly string[],
  input: string,
  signal: AbortSignal,
): Promise<string> {
  const [command = '', ...first] = program
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...first, ...args], { stdio: ['pipe', 'ignore', 'pipe'], signal })
    const errors: Buffer[] = []
    child.stderr.on('data', (chunk) => errors.push(chunk))
    child.once('error', reject)
    child.once('close', (code) => {
      const text = Buffer.concat(errors)
        .toString()
        .trim()
        .replace(/^error: /, '')
      resolve(code === 0 ? '' : text === '' ? `it ended with exit code ${code}` : text)
    })
    child.stdin.end(input)
  })
}

interface DownOptions extends HostOptions {
  readonly all?: boolean
  readonly purge?: boolean
}

function registerDown(root: Command, program: Program): void {
  folders(root.command('down'))
    .summary('stop Berth on this machine')
    .description('Ends server, agent and names here. Containers and the gateway go on serving; --all stops them too.')
    .option('--all', 'remove all apps and stop the gateway as well')
    .option(
      '--purge',
      'with --all: take network, rules, gateway and the images named berth/… off the machine; the state directory stays',
    )
    .action(action<DownOptions>((context, _, options) => down(context, options, program())))
}

async function down(context: CommandContext, options: DownOptions, program: readonly string[]): Promise<void> {
  const { out, confirm, signal } = context
  const paths = hostPaths(options.stateDir, options.runDir)
  const config = readHostConfig(paths.config)
  if (config === undefined) throw new BerthError('host.not-up', `${paths.config} does not exist: Berth is not up here`)
  const everything = options.all === true || options.purge === true
  await confirm(`Stop Berth on this machine${everything ? ' with all apps and the gateway' : ''}?`)
  const log = (message: string) => out.note(message)
  if (everything && config.server !== undefined) await removeApps(paths, log, signal)
  await takeDown(paths, log)
  if (!everything) return out.note('server and agent have stopped; containers and the gateway go on')
  await purge(paths, config, program, signal)
  out.note('everything has stopped')
  if (config.superviseDocker && config.beforeDocker !== undefined && !removeDockerRemains(config.beforeDocker))
    out.note("containers that are not Berth's go on running, so Docker's network stays")
}

async function purge(
  paths: HostPaths,
  config: HostConfig,
  program: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  if (config.superviseDocker) {
    // Containers, images and the network are Docker's to remove, and this dockerd has just ended with the rest.
    await bringUp({ paths, config: { ...config, leaving: true }, program, log: () => undefined, signal })
    await waitForDocker(config.dockerSocket, paths, signal)
  }
  const problems = await runRole(program, ['agent', 'purge', ...folderArguments(paths)], '', signal)
  await takeDown(paths, () => undefined)
  writeHostConfig(paths.config, config)
  if (problems !== '') throw new BerthError('host.purge-failed', `not everything could be removed: ${problems}`)
}

const folderArguments = (paths: HostPaths): string[] => ['--state-dir', paths.stateDir, '--run-dir', paths.runDir]

/** The way that loses no request and runs the hooks. What it leaves, for want of a server or a node, is removed by force afterwards. */
async function removeApps(paths: HostPaths, log: (message: string) => void, signal: AbortSignal): Promise<void> {
  const client = createClient(createTransport({ type: 'socket', path: paths.serverSocket }))
  const listApps = async () => (await client.list('listApps', {}, { signal })).items
  try {
    for (const { name } of await listApps()) await client.call('removeApp', { params: { app: name } }, { signal })
    await waitFor('the apps to go', async () => (await listApps()).length === 0, 120_000, signal)
  } catch (error) {
    signal.throwIfAborted()
    log(`the apps cannot be removed in good order (${messageOf(error)}): their containers here are stopped as they are`)
  }
}

function registerJoin(root: Command, program: Program): void {
  const node = root.commands.find((each) => each.name() === 'node')
  if (node === undefined) return
  machine(node.command('join'))
    .summary('make this machine a node of a cluster; the token is read from standard input or BERTH_JOIN_TOKEN')
    .requiredOption('--server <address:port>', "the server's API")
    .option('--no-gateway', 'do not run a gateway here')
    .action(
      action<HostOptions & { gateway: boolean }>(async ({ out, signal }, _, options) => {
        const paths = hostPaths(options.stateDir, options.runDir)
        const config = await configOf(options, paths, false)
        const labels = options.gateway ? config.labels : withoutGateway(config.labels)
        const own = { ...config, labels }
        const token = process.env.BERTH_JOIN_TOKEN ?? (await readAll())
        const log = (message: string) => out.note(`${out.style.green('✔')} ${message}`)
        await bringUp({ paths, config: own, program: program(), log, signal })
        await enrol(paths, own, program(), options.server ?? '', token.trim(), signal)
        log(`${own.node} has joined the cluster of ${options.server}; berth node ls shows it there`)
      }),
    )
}

function withoutGateway(labels: Readonly<Record<string, string>>): Record<string, string> {
  const { gateway: _, ...rest } = labels
  return rest
}

async function readAll(): Promise<string> {
  let text = ''
  for await (const chunk of process.stdin.setEncoding('utf8')) text += chunk
  if (text.trim() === '')
    throw new BerthError(
      'usage.no-token',
      'no join token came on standard input; an admin makes one with `berth node token`',
    )
  return text
}
