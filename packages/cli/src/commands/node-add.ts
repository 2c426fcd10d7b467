import { BerthError, messageOf, networkDrivers } from '@berth/core'
import { defaultStateDir } from '@berth/host'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { Exit, exitCode } from '../exit-code.ts'
import { questions } from '../node-add/ask-once.ts'
import { BringIn, type BringInOptions, type BroughtIn } from '../node-add/bring-in.ts'
import { readCluster } from '../node-add/cluster-facts.ts'
import { readExecutable } from '../node-add/executable.ts'
import { inParallel } from '../node-add/in-parallel.ts'
import type { MachineEntry } from '../node-add/machine-entry.ts'
import { PackedExecutable } from '../node-add/packed-executable.ts'
import { ProgressBoard } from '../node-add/progress-board.ts'
import { requireGroups } from '../node-add/require-groups.ts'
import { findingLines } from '../node-add/summary.ts'
import { SshKeys } from '../ssh/ssh-login.ts'
import { formatSshTarget } from '../ssh/ssh-target.ts'
import { action } from './command.ts'
import { collect } from './host-options.ts'
import { type AddOptions, entriesOf } from './node-add-machines.ts'
import type { Program } from './run-role.ts'

const installedAt = '/usr/local/bin/berth'

const description = `Makes machines nodes, with nothing there but SSH: looks at each and says all that stands in the way at once, copies this executable, joins with a one-time token and waits until the node is online. Doing it again is harmless, and goes on where it stopped.
Examples: berth node add root@10.0.0.5 · berth node add --install --label disk=ssd ann@shed-1 ann@shed-2 · berth node add --inventory hosts.yaml --dry-run`

export function registerAdd(root: Command, program: Program): void {
  const node = root.commands.find((each) => each.name() === 'node')
  if (node === undefined) return
  const command = node
    .command('add')
    .summary('make machines that are reached by SSH nodes of this cluster')
    .description(description)
    .argument('[machines...]', 'ssh://USER@HOST:PORT, USER@HOST or HOST')
    .option('--inventory <file>', 'YAML with hosts, and defaults for them')
  asNode(command)
  loggingIn(command)
  command
    .option('--server <address:port>', 'where machines dial (default: as the server says)')
    .option('--executable <file>', 'what is copied (default: this one)')
    .option('--install', 'install what is missing: Docker, nftables … (apt-get)')
    .option('--dry-run', 'only look and say what would be done')
    .option('--measure-speed', 'find out what the cores of each are worth, once it is a node')
    .option('--parallel <count>', 'so many machines at a time', '10')
    .option('--state-dir <dir>', 'where everything is kept there', defaultStateDir)
    .option('--docker <socket>', "Docker's socket there", '/var/run/docker.sock')
    .action(action<AddOptions>((context, machines, options) => add(context, machines, options, program())))
}

const asNode = (command: Command): Command =>
  command
    .option('--node <name>', 'its name in the cluster, of a single machine (default: its host name)')
    .option('--address <ip>', 'at which other machines reach it, of a single machine (default: where it was logged in)')
    .option('--label <key=value>', 'label of the nodes; may be repeated', collect, [])
    .option('--group <name>', 'node group that they come into')
    .option('--no-gateway', 'do not run a gateway there')
    .option('--network <driver>', `how containers are joined there: ${networkDrivers.join(' or ')}`)
    .option('--http-port <port>', "the gateway's port", '80')
    .option('--https-port <port>', "the gateway's port for TLS; 0: none", '443')

const loggingIn = (command: Command): Command =>
  command
    .option('--user <name>', 'who logs in (default: you)')
    .option('--port <port>', 'of sshd', '22')
    .option('--key <file>', 'private key (default: those of ssh-agent, then ~/.ssh/id_*)')
    .option('--passphrase-file <file>', 'of an encrypted key')
    .option('--password-file <file>', 'log in by this password as well')
    .option('--ask-password', 'ask for the password')
    .option('--sudo-password-file <file>', 'where sudo asks for one')
    .option('--ask-sudo-password', 'ask for it')
    .option('--host-key <fingerprint>', 'SHA256:… of the key that the machine must show, of a single machine')
    .option('--accept-new-host-keys', 'take the key of a machine that nobody here has seen, and remember it')
    .option('--known-hosts <file>', 'instead of ~/.ssh/known_hosts and /etc/ssh/ssh_known_hosts')

async function add(
  context: CommandContext,
  words: readonly string[],
  options: AddOptions,
  program: readonly string[],
): Promise<void> {
  const { client, out, signal } = context
  const entries = await entriesOf(words, options, signal)
  const executable = await readExecutable(options.executable ?? program[0] ?? '')
  const cluster = await readCluster(client, options.server, signal)
  const groups = await client.list('listGroups', {}, { signal })
  requireGroups(
    entries,
    groups.items.map(({ name }) => name),
  )
  const names = entries.map(({ target, node }) => node ?? formatSshTarget(target))
  const limit = parseParallel(options.parallel)
  await using packed = new PackedExecutable(executable, signal)
  const board = new ProgressBoard(names, out.style)
  const ask = questions(signal)
  const shared: Omit<BringInOptions, 'say'> = {
    ...{ client, cluster, executable, program: installedAt, signal, stateDir: options.stateDir },
    ...{ dockerSocket: options.docker, install: options.install === true, dryRun: options.dryRun === true },
    ...{ keys: new SshKeys(), names: new Map() },
    ...(entries.length > 1 ? { packed } : {}),
    hostKey: {
      acceptNew: options.acceptNewHostKeys === true,
      ...(ask === undefined ? {} : { ask: (question) => board.whileAsking(() => ask(question)) }),
      ...(options.knownHosts === undefined ? {} : { knownHosts: options.knownHosts }),
    },
  }
  const indexed = entries.map((entry, index) => ({ entry, name: names[index] ?? '' }))
  const outcomes = await inParallel(indexed, limit, ({ entry, name }) => bringIn(entry, name, shared, board))
  board[Symbol.dispose]()
  signal.throwIfAborted()
  await summarize(context, names, outcomes, { ...options, toldWhy: board.toldWhy })
}

async function bringIn(
  entry: MachineEntry,
  name: string,
  shared: Omit<BringInOptions, 'say'>,
  board: ProgressBoard,
): Promise<BroughtIn> {
  const say = (step: string, detail?: string): void => board.say(name, 'running', step, detail)
  try {
    const done = await new BringIn(entry, { ...shared, say }).run()
    board.say(name, 'done', shared.dryRun ? `would: ${done.steps.join(', ')}` : `node ${done.node} is online`)
    return done
  } catch (error) {
    // Of a single one the reason is what the command ends with.
    board.say(name, 'failed', shared.signal.aborted ? 'was given up' : board.isSingle ? 'is no node' : messageOf(error))
    throw error
  }
}

async function summarize(
  context: CommandContext,
  names: readonly string[],
  outcomes: readonly PromiseSettledResult<BroughtIn>[],
  options: AddOptions & { readonly toldWhy: boolean },
): Promise<void> {
  const { out } = context
  const done = outcomes.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
  for (const line of findingLines(done)) out.note(`${out.style.yellow('!')} ${line}`)
  if (options.measureSpeed === true && options.dryRun !== true)
    for (const { node } of done) await measureSpeed(context, node)
  const failed = outcomes.flatMap((each, index) =>
    each.status === 'rejected' ? [{ name: names[index] ?? '', error: each.reason as unknown }] : [],
  )
  const [only] = failed
  if (only !== undefined && outcomes.length === 1) throw only.error
  if (!options.toldWhy)
    for (const { name, error } of failed) out.note(`${out.style.red('✘')} ${name}: ${messageOf(error)}`)
  const which = options.toldWhy
    ? `not: ${failed.map(({ name }) => name).join(', ')}`
    : 'why the others are not stands above'
  const what = options.dryRun === true ? 'could become nodes' : 'are nodes'
  out.note(
    `${done.length} of ${outcomes.length} machines ${what}${failed.length === 0 ? '' : `; ${which}. The command can be repeated`}`,
  )
  if (failed.length > 0) throw new Exit(exitCode.failed)
}

/** One after the other: measured at once they would measure each other. */
async function measureSpeed({ client, out, signal }: CommandContext, name: string): Promise<void> {
  try {
    const { node, against } = await client.call('measureNode', { params: { name }, body: {} }, { signal })
    out.note(`a core of ${name} is worth ${(node.speedMilli ?? 1000) / 1000} beside ${against}`)
  } catch (error) {
    signal.throwIfAborted()
    out.note(`the speed of ${name} was not measured: ${messageOf(error)}; later: berth node speed ${name} --measure`)
  }
}

function parseParallel(text: string): number {
  const count = Number(text)
  if (Number.isInteger(count) && count > 0 && count <= 500) return count
  throw new BerthError('usage.count', `--parallel ${text}: write a whole number from 1 to 500`)
}
