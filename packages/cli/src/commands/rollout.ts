import { BerthError } from '@berth/core'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { followRollout } from '../follow.ts'
import { printItem } from '../output/print.ts'
import { receiptText } from '../receipt-text.ts'
import { type PoolOption, parseTarget, requireTarget } from '../target.ts'
import { action } from './command.ts'
import { listRollouts } from './listings.ts'

const moves = [
  ['approve', 'approveRollout', 'say yes to one that waits for people before it begins'],
  ['pause', 'pauseRollout', 'stop where it is, for now'],
  ['resume', 'resumeRollout', 'go on after a pause'],
  ['continue', 'continueRollout', 'let a stage that waits for a person go on'],
  ['skip', 'skipStage', 'end the stage under way, whatever its gates say'],
  ['abort', 'abortRollout', 'stop it and go back to the release before'],
  ['rollback', 'rollbackRollout', 'go back to where it came from, also when it has ended'],
] as const

export function registerRollout(program: Command): void {
  const rollout = program.command('rollout').summary('look at a rollout, and steer it')
  listRollouts(rollout.command('ls'))
  named(rollout.command('show'))
    .summary('where it stands, stage by stage')
    .action(action<PoolOption>((context, [text], options) => showReceipt(context, text, options)))
  named(rollout.command('receipt'))
    .summary('what it did: who, what, stages, gates, pauses (-o json)')
    .action(action<PoolOption>((context, [text], options) => showReceipt(context, text, options)))
  named(rollout.command('watch'))
    .summary('follow it to its end')
    .action(
      action<PoolOption>(
        async (context, [text], options) =>
          void (await followRollout(context, await rolloutOf(context, text, options))),
      ),
    )
  for (const [verb, operation, summary] of moves) {
    named(rollout.command(verb))
      .summary(summary)
      .action(
        action<PoolOption>(async (context, [text], options) => {
          const { client, out, form, signal } = context
          const id = await rolloutOf(context, text, options)
          if (verb === 'rollback') await askUnlessNamed(context, text, id)
          const done = await client.call(operation, { params: { id } }, { signal })
          await printItem(done, form, out, (each) => `${each.id} ${each.state}: ${each.message}`)
        }),
      )
  }
}

/** Whoever names it has said which; what is found by the folder one stands in may be another. */
export async function askUnlessNamed(
  { confirm }: Pick<CommandContext, 'confirm'>,
  text: string | undefined,
  id: string,
): Promise<void> {
  if (text === undefined) await confirm(`Go back with rollout ${id}, the latest here?`)
}

async function showReceipt(context: CommandContext, text: string | undefined, options: PoolOption): Promise<void> {
  const { client, out, form, signal } = context
  const id = await rolloutOf(context, text, options)
  const receipt = await client.call('getReceipt', { params: { id } }, { signal })
  await printItem(receipt, form, out, receiptText)
}

const isApp = async ({ client, signal }: CommandContext, app: string): Promise<boolean> =>
  (await client.list('listApps', {}, { signal })).items.some(({ name }) => name === app)

const named = (command: Command): Command =>
  command
    .argument('[rollout]', 'its id, or APP or APP@ENVIRONMENT: the latest there; left out: of the berth.yaml here')
    .option('-e, --environment <name>')

async function rolloutOf(context: CommandContext, text: string | undefined, options: PoolOption): Promise<string> {
  if (text !== undefined && /^r-[a-z0-9]{8}$/.test(text)) return text
  const { app, pool } = parseTarget(text, context, options)
  if (text?.startsWith('r-') && !(await isApp(context, app)))
    throw new BerthError('rollout.not-found', `no rollout ${text}; \`berth rollouts\` lists them`)
  const query = { app, pool, limit: 1 }
  const [latest] = (await context.client.list('listRollouts', { query }, { signal: context.signal })).items
  if (latest !== undefined) return latest.id
  await requireTarget(context, { app, pool })
  throw new BerthError(
    'rollout.not-found',
    `no rollout of ${app}/${pool} yet; \`berth rollouts\` lists those of all apps`,
  )
}
