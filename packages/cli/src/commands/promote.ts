import type { ReleaseDiffView } from '@berth/api'
import { BerthError, shortCommit } from '@berth/core'
import type { Command } from 'commander'
import { followRollout } from '../follow.ts'
import { formatAge } from '../output/format.ts'
import { formatChange } from '../output/plan.ts'
import { printItem } from '../output/print.ts'
import type { Style } from '../output/style.ts'
import { type PoolOption, parseTarget } from '../target.ts'
import { action } from './command.ts'

interface PromoteOptions {
  readonly from?: string
  readonly to?: string
  readonly release?: string
  readonly force?: boolean
  readonly reason?: string
  readonly detach?: boolean
}

/** The same image, one environment further. */
export function registerPromote(program: Command): void {
  program
    .command('promote')
    .summary('take what has succeeded in one environment to the next')
    .description(
      'Rolls the same release out in the next environment of the chain (`berth pipeline`); nothing is built.\nWithout --from and --to it is the furthest that can move.',
    )
    .argument('[app]', 'left out: the app of the berth.yaml here')
    .option('--from <environment>')
    .option('--to <environment>')
    .option('--release <release>', 'this one, instead of what runs there now')
    .option('--force', 'although it has not succeeded in the environment before; needs --reason')
    .option('--reason <text>', 'why it is forced')
    .option('-d, --detach', 'do not wait')
    .action(
      action<PromoteOptions>(async (context, [text], options) => {
        const { client, out, signal } = context
        const { app } = parseTarget(text, context)
        if (options.force === true && options.reason === undefined)
          throw new BerthError('usage.value', 'promote --force: say why, with --reason; it is kept with the rollout')
        const { from, to, release, reason } = options
        const body = {
          ...(from === undefined ? {} : { from }),
          ...(to === undefined ? {} : { to }),
          ...(release === undefined ? {} : { release }),
          ...(reason === undefined ? {} : { reason }),
          force: options.force === true,
        }
        const started = await client.call('promoteRelease', { params: { app }, body }, { signal })
        if (options.detach === true) return out.line(started.rollout.id)
        out.note(`${app} ${started.rollout.to} goes from ${started.from} to ${started.rollout.pool}`)
        await followRollout(context, started.rollout.id)
      }),
    )
}

/** What a release would change where another runs. */
export function registerDiff(program: Command): void {
  program
    .command('diff')
    .summary('commits and settings that a release would change where another runs')
    .description('What it needs and where its instances would run is shown by `berth plan --release`.')
    .argument('[app]', 'APP or APP@ENVIRONMENT; left out: the app of the berth.yaml here')
    .argument('[release]', 'v7; left out: the newest')
    .option('-e, --environment <name>')
    .action(
      action<PoolOption>(async (context, words, options) => {
        const { client, out, form, signal } = context
        const [first, second] = words
        const named = second ?? (first !== undefined && /^v\d+$/.test(first) ? first : undefined)
        const target = parseTarget(named === first ? undefined : first, context, options)
        const { app, pool } = target
        const release = named ?? (await client.call('getApp', { params: { app } }, { signal })).latestRelease
        if (release === undefined)
          throw new BerthError('release.not-found', `${app} has no release yet; berth deploy makes the first`)
        const params = { app, release }
        const diff = await client.call('getReleaseDiff', { params, query: { pool } }, { signal })
        await printItem(diff, form, out, (each) => diffText(each, out.style, Date.now()))
        if (form === 'table') out.note(`where its instances would run: berth plan ${app}@${pool} --release ${release}`)
      }),
    )
}

export function diffText(diff: ReleaseDiffView, style: Style, now: number): string {
  const { app, pool, from, to, sameImage, added, removed, more, problem, changes } = diff
  const commit = (sign: string, each: ReleaseDiffView['added'][number]): string =>
    `  ${sign} ${shortCommit(each.commit)}  ${formatAge(now - each.at).padStart(4)}  ${each.author.replace(/ <.*/, '')}  ${each.subject}`
  return [
    `${app}/${pool}: ${from ?? 'nothing'} → ${to}${sameImage ? ' (the same image)' : ''}`,
    ...(problem === undefined ? [] : [`  commits are not known: ${problem}`]),
    ...added.map((each) => style.green(commit('+', each))),
    ...removed.map((each) => style.red(commit('-', each))),
    ...(more ? ['  … and more'] : []),
    ...(from === undefined
      ? []
      : changes.length === 0
        ? ['  no settings change']
        : changes.map((each) => `  ${formatChange(each, style)}`)),
  ].join('\n')
}
