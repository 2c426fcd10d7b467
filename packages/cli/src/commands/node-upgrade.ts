import type { NodeView } from '@berth/api'
import { BerthError, messageOf } from '@berth/core'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { Exit, exitCode } from '../exit-code.ts'
import { inParallel } from '../node-add/in-parallel.ts'
import { ProgressBoard } from '../node-add/progress-board.ts'
import { action } from './command.ts'

interface UpgradeOptions {
  readonly all?: boolean
  readonly parallel: string
  readonly dryRun?: boolean
}

const endTimeoutMs = 180_000
const lookAgainMs = 500

export function registerUpgrade(node: Command): void {
  node
    .command('upgrade')
    .summary("bring nodes to the server's version; containers and traffic go on")
    .description(
      'Sends each node the executable of the server, which it checks, puts in place and starts its agent with. When that is not heard of in a minute the old one is put back. The first that fails ends it: no further node is begun.',
    )
    .argument('[nodes...]')
    .option('--all', 'every node that is online and has another version')
    .option('--parallel <count>', 'so many at a time', '1')
    .option('--dry-run', 'only say which nodes have which version')
    .action(action<UpgradeOptions>((context, names, options) => upgrade(context, names, options)))
}

async function upgrade(context: CommandContext, names: readonly string[], options: UpgradeOptions): Promise<void> {
  const { client, out, signal } = context
  if (names.length > 0 === (options.all === true))
    throw new BerthError(
      'usage.no-node',
      `upgrade: name nodes, or say --all${options.all === true ? ', not both' : ''}`,
    )
  const limit = parseLimit(options.parallel)
  const { version } = await client.call('getVersion', {}, { signal })
  const { items } = await client.list('listNodes', {}, { signal })
  const nodes = names.length > 0 ? named(items, names) : items.filter((each) => each.online && isOther(each, version))
  const away = names.length > 0 ? [] : items.filter((each) => !each.online && isOther(each, version))
  if (away.length > 0)
    out.note(
      `left out, since they are offline: ${away.map((each) => each.name).join(', ')}; say it again when they are back`,
    )
  if (nodes.length === 0) return out.note(`every node that is online has version ${version}`)
  if (options.dryRun === true) {
    for (const each of nodes) out.note(`${each.name}: ${each.agentVersion || 'unknown'} → ${version}`)
    return
  }
  using board = new ProgressBoard(
    nodes.map((each) => each.name),
    out.style,
  )
  const failures: { readonly name: string; readonly error: unknown }[] = []
  await inParallel(nodes, limit, async (node) => {
    if (failures.length > 0) return board.say(node.name, 'failed', 'not begun')
    try {
      board.say(node.name, 'done', await upgradeOne(context, node, (step) => board.say(node.name, 'running', step)))
    } catch (error) {
      failures.push({ name: node.name, error })
      board.say(node.name, 'failed', messageOf(error))
    }
  })
  signal.throwIfAborted()
  board[Symbol.dispose]()
  const [first] = failures
  if (first !== undefined && nodes.length === 1) throw first.error
  if (!board.toldWhy)
    for (const { name, error } of failures) out.note(`${out.style.red('✘')} ${name}: ${messageOf(error)}`)
  if (failures.length > 0) throw new Exit(exitCode.failed)
}

const isOther = ({ agentVersion }: NodeView, version: string): boolean => agentVersion !== version

const named = (items: readonly NodeView[], names: readonly string[]): NodeView[] =>
  names.map((name) => {
    const found = items.find((each) => each.name === name)
    if (found !== undefined) return found
    throw new BerthError('node.not-found', `there is no node ${name}; see: berth node ls`)
  })

/** What has become of it, in words. */
async function upgradeOne(
  { client, signal }: CommandContext,
  { name, upgrade: before }: NodeView,
  say: (step: string) => void,
): Promise<string> {
  say('gets the executable')
  const { from, to, started } = await client.call('upgradeNode', { params: { name } }, { signal })
  if (!started) return `has version ${to} already`
  say(`goes from ${from} to ${to}`)
  const deadline = performance.now() + endTimeoutMs
  for (;;) {
    const { upgrade, online } = await client.call('getNode', { params: { name } }, { signal })
    // Until it tells of this one, the node tells of the one before.
    const ended = upgrade?.to === to && upgrade.at !== before?.at ? upgrade : undefined
    if (ended?.state === 'done' && online) return `has version ${to}`
    if (ended?.state === 'rolled-back')
      throw new BerthError(
        'upgrade.rolled-back',
        `upgrade node ${name} to ${to}: it was rolled back to ${from}: ${ended.why ?? 'no reason was noted'}`,
      )
    if (performance.now() > deadline)
      throw new BerthError(
        'upgrade.timeout',
        `upgrade node ${name} to ${to}: nothing was heard of how it ended within ${endTimeoutMs / 1000} s; see berth node show ${name}, and /var/lib/berth/logs/upgrade.log there`,
      )
    await new Promise((resolve) => setTimeout(resolve, lookAgainMs))
  }
}

function parseLimit(text: string): number {
  const count = Number(text)
  if (Number.isInteger(count) && count > 0 && count <= 500) return count
  throw new BerthError('usage.count', `--parallel ${text}: write a whole number from 1 to 500`)
}
