import { join } from 'node:path'
import { type Client, createClient } from '@berth/api'
import { BerthError, formatBlock, messageOf, parseBlock } from '@berth/core'
import {
  bringUp,
  type HostConfig,
  type HostPaths,
  type HostStore,
  hostPaths,
  readHostConfig,
  refuseDowngrade,
  removeDockerRemains,
  takeDown,
  waitFor,
  waitForDocker,
  writeHostConfig,
} from '@berth/host'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { createTransport } from '../context/transports.ts'
import { action } from './command.ts'
import { collect, configOf, folders, type HostOptions, hostDefaults, machine, portOf } from './host-options.ts'
import { lastFailure } from './last-failure.ts'
import { registerAdd } from './node-add.ts'
import { isHeard, isNode, lastSeen, registerJoin, whetherHeard } from './node-join.ts'
import { enrol, folderArguments, type Program, runRole } from './run-role.ts'
import { hostStore, type StoreOptions, withStoreOptions } from './store-options.ts'
import { registerStoreTools } from './store-tools.ts'
import { checkStore, refuseLoneKey, requireServerKey } from './up-store.ts'

interface UpOptions extends HostOptions, StoreOptions {}

export const registerHost =
  (program: Program) =>
  (root: Command): void => {
    registerUp(root, program)
    registerDown(root, program)
    registerJoin(root, program)
    registerAdd(root, program)
    registerStoreTools(root, program)
  }

function registerUp(root: Command, program: Program): void {
  const command = machine(root.command('up'))
    .summary('make this machine a cluster of one: server, agent and gateway')
    .description(
      'Starts server, agent, names and gateway on this machine, under systemd or a small supervisor. Doing it again is harmless: what is not said stays as it was said before.\nOn a machine that has joined a cluster it starts what was there: it stays the node that it was. With the key of the cluster (berth server join) and --store it becomes a server as well.',
    )
    .option('--listen <address:port>', `API and console, by TLS (default: ${hostDefaults.listen})`)
    .option(
      '--agent-listen <address:port>',
      `where agents dial in, by mutual TLS (default: ${hostDefaults.agentListen})`,
    )
    .option(
      '--consul-listen <address:port>',
      'where programs made for Consul call, in clear; off: nowhere (default: off)',
    )
    .option('--consul-tls-listen <address:port>', 'the same by TLS')
    .option('--consul-anonymous <what>', 'what those without a token may do there: read or none (default: none)')
    .option('--name <name>', "name or address in the server's certificate; may be repeated", collect, [])
    .option(
      '--address-pool <block>',
      `addresses of instances; each node gets a /24 of it (default: ${hostDefaults.addressPool})`,
    )
  withStoreOptions(command).action(
    action<UpOptions>((context, _, options) => {
      const paths = hostPaths(options.stateDir, options.runDir)
      refuseDowngrade(paths, 'berth up', root.version() ?? '', options.allowDowngrade === true)
      return up(context, options, program())
    }),
  )
}

async function up(context: CommandContext, options: UpOptions, program: readonly string[]): Promise<void> {
  const { out, signal } = context
  const paths = hostPaths(options.stateDir, options.runDir)
  const former = readHostConfig(paths.config)
  // Where joining did not come to its end, nothing of it is in the way of a cluster of one.
  const isOnlyNode = former !== undefined && former.server === undefined && isNode(paths)
  if (isOnlyNode && options.store === undefined) return goOn(context, paths, former, program)
  if (isOnlyNode) requireServerKey(paths, former)
  if (former === undefined && options.store === undefined) refuseLoneKey(paths)
  const store = hostStore(options, former)
  const config = withStore(await configOf(options, paths, true), store)
  if (options.store !== undefined) await checkStore({ paths, former, store, program, signal })
  const listen = config.server?.listen ?? hostDefaults.listen
  const log = (message: string) => out.note(`${out.style.green('✔')} ${message}`)
  await bringUp({ paths, config, program, log, signal })
  if (config.superviseDocker) await waitForDocker(config.dockerSocket, paths, signal)
  const client = createClient(createTransport({ type: 'socket', path: paths.serverSocket }))
  await untilServerAnswers(client, paths, signal)
  log('server answers')
  const nodes = await client.list('listNodes', {}, { signal })
  if (!nodes.items.some((node) => node.name === config.node)) {
    if (isNode(paths)) throw unknownNode(paths, config)
    const { token } = await client.call('createJoinToken', { body: { ttlMs: 300_000 } }, { signal })
    await enrol(paths, config, program, `127.0.0.1:${portOf(listen)}`, token, signal)
    log(`node ${config.node} has joined`)
  }
  const self = async () =>
    (await client.list('listNodes', {}, { signal })).items.find(({ name }) => name === config.node)
  // A server that has just started knows from its records only that the node was online.
  const isOnline = async () => isHeard(paths) && (await self())?.online === true
  const awaited = () =>
    `node ${config.node} to come online (${lastSeen(paths)}); after lost keys or an older store: docs/operations.md, Restore`
  await waitFor(awaited, isOnline, 60_000, signal)
  log(`node ${config.node} is online`)
  const { address = config.address } = (await self()) ?? {}
  if (address !== config.address)
    out.note(
      `other machines reach node ${config.node} at ${address}, as it was said when it joined, and not at ${config.address}: to change that, remove the node and join it anew`,
    )
  await tellOtherPool(context, client, options.addressPool)
  const status = await client.call('getStatus', {}, { signal })
  out.line(`Console: ${status.consoleUrl ?? `https://${config.address}:${portOf(listen)}`}`)
  out.note('a token to log in with: berth token create NAME --role admin')
}

/** The store knows it from the first node on, and then it stays. */
async function tellOtherPool({ out, signal }: CommandContext, client: Client, told: string | undefined): Promise<void> {
  if (told === undefined) return
  const { items } = await client.call('listAddressPools', {}, { signal })
  const own = items.find(({ name }) => name === 'default')
  if (own === undefined || own.range === formatBlock(parseBlock(told))) return
  out.note(
    `instances have addresses of ${own.range}, as the cluster was set up with, and not of ${told}; for more of them: berth ip pool add`,
  )
}

async function untilServerAnswers(client: Client, paths: HostPaths, signal: AbortSignal): Promise<void> {
  const what = () => {
    const said = lastFailure(join(paths.logs, 'server.log'))
    const met = said === undefined ? '' : `what it said last: ${said}; `
    return `the server (${met}its log: ${paths.logs}/server.log, or journalctl -u berth-server; it may still come: berth up again goes on from here)`
  }
  const answers = () =>
    client.call('getVersion', {}, { signal }).then(
      () => true,
      () => false,
    )
  await waitFor(what, answers, 60_000, signal)
}

/** Joining anew is the last that one wants where the records are gone. */
const unknownNode = ({ stateDir }: HostPaths, { node }: HostConfig): BerthError =>
  new BerthError(
    'host.unknown-node',
    `berth up: this machine is node ${node}, and the server that has started here knows no such node. It stands on an empty or another store: berth down, bring the right one back (docs/operations.md, Restore), then this again. If the node was removed: berth down, remove ${stateDir}/agent/node.json, then this again`,
  )

/** A node of a cluster does not become a cluster of its own. */
async function goOn(
  { out, signal }: CommandContext,
  paths: HostPaths,
  config: HostConfig,
  program: readonly string[],
): Promise<void> {
  const log = (message: string) => out.note(`${out.style.green('✔')} ${message}`)
  await bringUp({ paths, config, program, log, signal })
  if (config.superviseDocker) await waitForDocker(config.dockerSocket, paths, signal)
  const heard = await whetherHeard(config.node, paths, signal)
  log(`${config.node} goes on as a node of the cluster that it has joined; ${heard}`)
}

const withStore = (config: HostConfig, store: HostStore | undefined): HostConfig =>
  config.server === undefined || store === undefined ? config : { ...config, server: { ...config.server, store } }

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
  const { problem } = await runRole(program, ['agent', 'purge', ...folderArguments(paths)], '', signal)
  await takeDown(paths, () => undefined)
  writeHostConfig(paths.config, config)
  if (problem !== '') throw new BerthError('host.purge-failed', `not everything could be removed: ${problem}`)
}

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
