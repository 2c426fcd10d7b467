import type { Client, InstanceView } from '@berth/api'
import { BerthError } from '@berth/core'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { Exit, exitCode } from '../exit-code.ts'
import { followRollout } from '../follow.ts'
import { printItem } from '../output/print.ts'
import { findInstance, type PoolOption, parseTarget, requireTarget, type Target } from '../target.ts'
import { action } from './command.ts'
import { instanceListing } from './ps.ts'
import { plural } from './words.ts'

interface WaitOption extends PoolOption {
  readonly detach?: boolean
}

export function registerLifecycle(program: Command): void {
  registerScale(program)
  registerRestart(program)
  registerRollback(program)
  registerStop(program)
  registerRemove(program)
}

function registerScale(program: Command): void {
  program
    .command('scale')
    .summary('set how many instances run')
    .description(
      'Sets instance counts; they survive deploys until the number in berth.yaml itself changes.\nExamples: berth scale shop/web 5 · berth scale shop web=5 worker=2',
    )
    .argument('<target>', 'APP or APP/ENTRYPOINT')
    .argument('<counts...>', 'a count, or ENTRYPOINT=COUNT …')
    .option('-e, --environment <name>')
    .option('--dry-run', 'show the result and do nothing')
    .action(
      action<PoolOption & { dryRun?: boolean }>(async (context, [text, ...counts], options) => {
        const { client, out, form, signal } = context
        const target = parseTarget(text, context, options)
        const body = { replicas: parseCounts(target, counts), dryRun: options.dryRun === true }
        const pool = await client.call(
          'scalePool',
          { params: { app: target.app, pool: target.pool }, body },
          { signal },
        )
        const scaled = (each: typeof pool) =>
          each.entrypoints
            .filter((entry) => entry.name in body.replicas)
            .map((entry) => `${each.app}/${entry.name}@${each.name}  wanted ${entry.wanted}  ready ${entry.ready}`)
            .join('\n')
        await printItem(pool, form, out, scaled)
      }),
    )
}

export function parseCounts(target: Target, words: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const word of words) {
    const match = /^(?:([a-z][a-z0-9-]*)=)?(\d{1,12})$/.exec(word)
    const name = match?.[1] ?? target.entrypoint
    if (match === null)
      throw new BerthError('usage.count', `${word} is no count; write a whole number, or ENTRYPOINT=NUMBER`)
    if (name === undefined)
      throw new BerthError(
        'usage.count',
        `${word}: of which entrypoint? write berth scale ${target.app}/web ${word}, or web=${word}`,
      )
    counts[name] = Number(match[2])
  }
  return counts
}

function registerRestart(program: Command): void {
  program
    .command('restart')
    .summary('replace every instance by a new one, or restart one in place')
    .argument('<target>', 'APP or APP@ENVIRONMENT, or an instance (web-4)')
    .option('-e, --environment <name>')
    .option('-d, --detach', 'do not wait')
    .action(
      action<WaitOption>(async (context, [text = ''], options) => {
        const { client, out, signal } = context
        if (/-\d+$/.test(text)) {
          const { id } = await findInstance(context, text, options)
          await client.call('restartInstance', { params: { id } }, { signal })
          return out.note(`${id} restarts in place`)
        }
        const { app, pool, entrypoint } = parseTarget(text, context, options)
        if (entrypoint !== undefined)
          throw new BerthError(
            'usage.target',
            `restart ${text}: an entrypoint is not restarted alone; write berth restart ${app} for all of it, or name an instance (berth ps ${text})`,
          )
        const rollout = await client.call('restartPool', { params: { app, pool } }, { signal })
        await wait(context, rollout.id, options)
      }),
    )
}

function registerRollback(program: Command): void {
  program
    .command('rollback')
    .summary('go back to the release before; nothing is built')
    .description(
      'Rolls out the release that served before, or the one named. While a rollout is under way, stops it and goes back to where it came from.\nExamples: berth rollback shop · berth rollback shop --to v7',
    )
    .argument('[app]', 'APP or APP@ENVIRONMENT')
    .option('-e, --environment <name>')
    .option('--to <release>', 'this release instead of the one before')
    .option('-d, --detach', 'do not wait')
    .action(
      action<WaitOption & { to?: string }>(async (context, [text], options) => {
        const { app, pool } = parseTarget(text, context, options)
        const body = options.to === undefined ? {} : { to: options.to }
        const rollout = await context.client.call(
          'rollbackPool',
          { params: { app, pool }, body },
          { signal: context.signal },
        )
        if (rollout.reason === 'rollback') {
          context.out.note(`${app}/${pool}: ${rollout.from ?? 'nothing'} → ${rollout.to}`)
          return wait(context, rollout.id, options)
        }
        context.out.note(`stopping rollout ${rollout.id} to ${rollout.to}`)
        // Going back is what was asked for here: its end `aborted` is success.
        await wait(context, rollout.id, options).catch((error) => {
          if (!(error instanceof Exit) || error.code !== exitCode.notRolledOut) throw error
        })
      }),
    )
}

async function wait(context: CommandContext, rollout: string, options: WaitOption): Promise<void> {
  if (options.detach === true) context.out.line(rollout)
  else await followRollout(context, rollout)
}

function registerStop(program: Command): void {
  program
    .command('stop')
    .summary('drain and stop one instance; a service gets a new one in its place')
    .argument('<instance>')
    .option('-e, --environment <name>')
    .action(
      action<PoolOption>(async (context, [text = ''], options) => {
        const { id } = await findOne(context, text, options)
        const instance = await context.client.call('stopInstance', { params: { id } }, { signal: context.signal })
        await printItem(instance, context.form, context.out, (each) =>
          instanceListing(context.out.style, Date.now()).row(each).join('  '),
        )
      }),
    )
}

/** Somebody who names an app here means something else. */
async function findOne(context: CommandContext, text: string, options: PoolOption): Promise<InstanceView> {
  if (/-\d+$/.test(text)) return findInstance(context, text, options)
  return findInstance(context, text, options).catch((error: unknown) => {
    if (!(error instanceof BerthError) || error.code !== 'instance.ambiguous') throw error
    throw new BerthError(
      'usage.target',
      `stop ${text}: name one instance (berth ps lists them); \`berth scale ${text.split('/')[0]}/ENTRYPOINT 0\` ends all of an entrypoint, \`berth rm\` removes an app`,
    )
  })
}

function registerRemove(program: Command): void {
  program
    .command('rm')
    .summary('remove an app, or one of its environments')
    .description(
      'Drains and removes all instances. With an app go its releases, builds and secrets. Named volumes stay on their nodes; what instances left in /persist is kept there for some days.',
    )
    .argument('<target>', 'APP or APP@ENVIRONMENT')
    .option('-e, --environment <name>', 'only this environment')
    .action(
      action<PoolOption>(async (context, [text = ''], options) => {
        const { client, out, signal, confirm } = context
        const { app, pool } = parseTarget(text, context, options)
        const whole = options.environment === undefined && !text.includes('@')
        const state = await client.call('getApp', { params: { app } }, { signal })
        const pools = state.pools.filter((each) => whole || each.name === pool)
        const running = pools.flatMap((each) => each.entrypoints).reduce((sum, each) => sum + each.running, 0)
        if (!whole && pools.length === 0) await requireTarget(context, { app, pool })
        const what = whole ? `app ${app} with ${plural(pools.length, 'environment')}` : `${app}@${pool}`
        await confirm(`Remove ${what} and ${plural(running, 'instance')}?`)
        const kept = await keptFiles(client, app, whole ? undefined : pool, signal)
        if (whole) await client.call('removeApp', { params: { app } }, { signal })
        else await client.call('removePool', { params: { app, pool } }, { signal })
        out.note(`${whole ? app : `${app}@${pool}`} is being removed; berth ps ${app} shows what is left`)
        for (const line of kept) out.note(line)
      }),
    )
}

/** Where what the instances leave in `/persist` is found afterwards, a line for every node and time. */
async function keptFiles(
  client: Client,
  app: string,
  pool: string | undefined,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { items: instances } = await client.list('listInstances', { query: { app } }, { signal })
  const own = instances.filter((each) => pool === undefined || each.pool === pool)
  const { items: nodes } = await client.list('listNodes', {}, { signal })
  return nodes.flatMap(({ name, endedFiles }) => {
    if (endedFiles === undefined || !own.some((each) => each.node === name)) return []
    const directory = [endedFiles.directory, app, ...(pool === undefined ? [] : [pool])].join('/')
    return [`what its instances left in /persist on ${name} is kept for ${days(endedFiles.keepMs)} in ${directory}`]
  })
}

const days = (ms: number): string => {
  const count = Math.round(ms / 86_400_000)
  return count === 1 ? '1 day' : `${count} days`
}
