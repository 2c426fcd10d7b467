import { setTimeout as delay } from 'node:timers/promises'
import type { MoveView, RebalanceView } from '@berth/api'
import { BerthError } from '@berth/core'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { printItem } from '../output/print.ts'
import { action } from './command.ts'

interface RebalanceOptions {
  readonly group: string
  readonly dryRun?: boolean
  readonly moves?: string
  readonly disruption?: string
  readonly stop?: boolean
  readonly detach?: boolean
}

const pollMs = 500

export function registerRebalance(program: Command): void {
  program
    .command('rebalance')
    .summary('move instances of a node group to where there is more room')
    .description(
      'From the fullest nodes to emptier ones, as long as each move pays. Instances are replaced within the bounds of their rollouts: the successor serves first. `berth group set GROUP --rebalance-on-join 1` does it whenever a node joins.\nExamples: berth rebalance --dry-run · berth rebalance --group fast --moves 10 --disruption 2',
    )
    .option('--group <group>', 'node group', 'default')
    .option('--dry-run', 'show what would be moved, and do nothing')
    .option('--moves <count>', 'at most so many')
    .option('--disruption <count>', 'so many at a time (1)')
    .option('--stop', 'move nothing else')
    .option('-d, --detach', 'do not wait')
    .action(action<RebalanceOptions>(rebalance))
}

async function rebalance(context: CommandContext, _: readonly string[], options: RebalanceOptions): Promise<void> {
  const { client, signal, form, out } = context
  const params = { name: options.group }
  const moves = options.moves === undefined ? {} : { moves: countOf('--moves', options.moves) }
  if (options.dryRun === true) {
    const plan = await client.call('planRebalance', { params, body: { moves: 1000, ...moves } }, { signal })
    return await printItem(plan, form, out, (each) => formatMoves(each.moves))
  }
  if (options.stop === true)
    return await printItem(await client.call('stopRebalance', { params }, { signal }), form, out, formatRebalance)
  const disruption = options.disruption === undefined ? 1 : countOf('--disruption', options.disruption)
  const body = { moves: 1000, ...moves, disruption }
  const begun = await client.call('startRebalance', { params, body }, { signal })
  if (options.detach === true) return await printItem(begun, form, out, formatRebalance)
  await printItem(await wait(context, options.group, begun), form, out, formatRebalance)
}

async function wait(
  { client, signal, out }: CommandContext,
  name: string,
  begun: RebalanceView,
): Promise<RebalanceView> {
  const told = new Set<string>()
  for (let view = begun; ; view = await client.call('getRebalance', { params: { name } }, { signal })) {
    for (const { instance, from, to, since } of view.moves) {
      if (told.has(`${instance} ${since}`)) continue
      told.add(`${instance} ${since}`)
      out.note(`${instance}: ${from} → ${to}`)
    }
    if (view.state === 'ended') return view
    await delay(pollMs, undefined, { signal })
  }
}

function countOf(option: string, text: string): number {
  const count = Number(text)
  if (Number.isInteger(count) && count > 0) return count
  throw new BerthError('usage.rebalance', `${option} ${text}: give a whole number above 0`)
}

const percent = (milli: number): string => `${Math.round(milli / 10)} %`

export const formatMoves = (moves: readonly MoveView[]): string =>
  moves.length === 0
    ? 'no move pays'
    : moves
        .map(
          ({ instance, from, to, beforeMilli, afterMilli }) =>
            `${instance}: ${from} → ${to} (the fuller of both ${percent(beforeMilli)} → ${percent(afterMilli)})`,
        )
        .join('\n')

export const formatRebalance = ({ group, state, message, done }: RebalanceView): string =>
  state === 'running' ? `${group} is being rebalanced (${done} moved): ${message}` : `${group}: ${message}`
