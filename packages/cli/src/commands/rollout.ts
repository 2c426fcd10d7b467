import { BerthError } from '@berth/core'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { followRollout } from '../follow.ts'
import { printItem } from '../output/print.ts'
import { type PoolOption, parseTarget, requireTarget } from '../target.ts'
import { action } from './command.ts'

const moves = [
  ['pause', 'pauseRollout', 'stop where it is, for now'],
  ['resume', 'resumeRollout', 'go on'],
  ['abort', 'abortRollout', 'go back to the release before'],
] as const

export function registerRollout(program: Command): void {
  const rollout = program.command('rollout').summary('watch, pause, resume or abort a rollout')
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
          const done = await client.call(operation, { params: { id } }, { signal })
          await printItem(done, form, out, (each) => `${each.id} ${each.state}: ${each.message}`)
        }),
      )
  }
}

const named = (command: Command): Command =>
  command
    .argument('[rollout]', 'its id, or APP or APP@ENVIRONMENT: the latest there; left out: of the berth.yaml here')
    .option('-e, --environment <name>')

async function rolloutOf(context: CommandContext, text: string | undefined, options: PoolOption): Promise<string> {
  if (text !== undefined && /^r-[a-z0-9]{8}$/.test(text)) return text
  const { app, pool } = parseTarget(text, context, options)
  const query = { app, pool, limit: 1 }
  const [latest] = (await context.client.list('listRollouts', { query }, { signal: context.signal })).items
  if (latest !== undefined) return latest.id
  await requireTarget(context, { app, pool })
  throw new BerthError(
    'rollout.not-found',
    `no rollout of ${app}/${pool} yet; \`berth rollouts\` lists those of all apps`,
  )
}
