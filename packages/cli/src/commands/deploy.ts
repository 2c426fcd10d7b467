import { BerthError, shortCommit } from '@berth/core'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { Exit, exitCode } from '../exit-code.ts'
import { followBuild, followRollout } from '../follow.ts'
import { printItem } from '../output/print.ts'
import { type Source, sourceOf } from '../source.ts'
import { parseTarget, type Target } from '../target.ts'
import { action } from './command.ts'
import { planOf, printPlan } from './planning.ts'
import { sourceOptions } from './source-options.ts'

interface DeployOptions {
  readonly environment?: string
  readonly ref?: string
  readonly repository?: string
  readonly svn?: boolean
  readonly release?: string
  readonly force?: boolean
  readonly overrideFreeze?: string
  readonly dryRun?: boolean
  readonly detach?: boolean
  readonly cache?: boolean
  readonly output?: string
}

export function registerDeploy(program: Command): void {
  sourceOptions(program.command('deploy'))
    .summary('build a commit and roll it out')
    .description(
      'Builds the commit (unless the same inputs have been built), then replaces the instances batch by batch.\nCtrl-C stops the watching, not the deploy.',
    )
    .option('--release <release>', 'roll out this release; nothing is built')
    .option('--force', 'take over from a rollout under way; roll out although nothing changed')
    .option('--override-freeze <reason>', 'deploy although deploys are frozen; the reason is kept')
    .option('--dry-run', 'show what would change, and do nothing')
    .option('-d, --detach', 'do not wait')
    .action(
      action<DeployOptions>((context, [text], options) =>
        deploy(context, parseTarget(text, context, options), options),
      ),
    )

  sourceOptions(program.command('build'))
    .summary('build a commit')
    .description('Builds the image of a commit and makes a release of it; nothing is rolled out.')
    .option('--no-cache', 'build although the same inputs have been built')
    .option('-d, --detach', 'do not wait')
    .action(
      action<DeployOptions>(async (context, [text], options) => {
        const target = parseTarget(text, context, options)
        const source = await sourceOf(context, target.app, options)
        const body = { ...defined(source), noReuse: options.cache === false }
        const build = await context.client.call(
          'startBuild',
          { params: { app: target.app }, body },
          { signal: context.signal },
        )
        if (options.detach === true) return context.out.line(build.id)
        const done = await followBuild(context, build.id)
        await printItem(
          done,
          context.form,
          context.out,
          (each) =>
            `${each.app} ${each.release} ${shortCommit(each.commit ?? '')}${each.reused === true ? ' (same inputs, image reused)' : ''}`,
        )
      }),
    )
}

/** Exit code 1 where the deploy would be refused. */
async function dryRun(context: CommandContext, target: Target, options: DeployOptions): Promise<void> {
  const plan = await planOf(context, target, options)
  await printPlan(context, plan)
  if (plan.problems.length > 0) throw new Exit(exitCode.failed)
}

async function deploy(context: CommandContext, target: Target, options: DeployOptions): Promise<void> {
  const { client, out, signal } = context
  if (options.overrideFreeze !== undefined && options.overrideFreeze.trim() === '')
    throw new BerthError('usage.reason', '--override-freeze: say why; it is kept with the rollout')
  if (options.dryRun === true) return dryRun(context, target, options)
  const source = options.release === undefined ? await sourceOf(context, target.app, options) : {}
  const body = {
    ...defined(source),
    pool: target.pool,
    force: options.force === true,
    ...(options.release === undefined ? {} : { release: options.release }),
    ...(options.overrideFreeze === undefined ? {} : { overrideFreeze: options.overrideFreeze }),
  }
  const started = await client.call('deploy', { params: { app: target.app }, body }, { signal })
  if (options.detach === true) return out.line(started.build?.id ?? started.rollout?.id ?? '')
  let rollout = started.rollout?.id
  if (started.build !== undefined) {
    out.note(`building ${target.app} at ${started.build.ref} (${started.build.id})`)
    const build = await followBuild(context, started.build.id)
    if (build.error !== undefined) throw new BerthError(build.error.code, build.error.message)
    rollout = build.rollout
    out.note(
      `${out.style.green('✔')} ${build.app} ${build.release} from ${shortCommit(build.commit ?? 'image')}${build.reused === true ? ' (image reused)' : ''}  ${out.style.dim(build.subject ?? '')}`,
    )
    if (rollout === undefined)
      return out.note(`${build.release} runs in ${target.pool} already; nothing to do (--force rolls it out again)`)
  }
  if (rollout === undefined)
    throw new BerthError('api.unexpected-answer', 'the server named neither a build nor a rollout')
  await followRollout(context, rollout)
  await sayUrls(context, target)
}

async function sayUrls({ client, out, signal }: CommandContext, target: Target): Promise<void> {
  const app = await client.call('getApp', { params: { app: target.app } }, { signal })
  for (const url of app.pools.find((pool) => pool.name === target.pool)?.urls ?? []) out.line(url)
}

const defined = (source: Source): Source =>
  Object.fromEntries(Object.entries(source).filter(([, value]) => value !== undefined))
