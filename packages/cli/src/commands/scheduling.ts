import type { ApprovalView, CronRunView, CronView } from '@berth/api'
import { BerthError } from '@berth/core'
import type { Command } from 'commander'
import { Exit } from '../exit-code.ts'
import { followRollout } from '../follow.ts'
import { formatAge, formatBytes } from '../output/format.ts'
import { type ListingView, printItem, printListing } from '../output/print.ts'
import type { Style } from '../output/style.ts'
import { type PoolOption, parseTarget, type Target } from '../target.ts'
import { action } from './command.ts'
import { followJob } from './run.ts'

interface WaitOption extends PoolOption {
  readonly detach?: boolean
}

export function registerPlacing(program: Command): void {
  registerPools(program)
  registerCrons(program)
  registerApprovals(program)
}

function registerPools(program: Command): void {
  program
    .command('pool')
    .summary('move what runs in an environment to other nodes')
    .command('move')
    .summary('to another node group, batch by batch; if it does not work there, it is back where it was')
    .argument('<target>', 'APP, APP@ENVIRONMENT or APP/ENVIRONMENT')
    .argument('[group]', 'left out with --as-written')
    .option('-e, --environment <name>')
    .option('--as-written', 'to where its berth.yaml says')
    .option('-d, --detach', 'do not wait')
    .action(
      action<WaitOption & { asWritten?: boolean }>(async (context, [text, group], options) => {
        const target = parseTarget(text, context, options)
        if ((group === undefined) !== (options.asWritten === true))
          throw new BerthError('usage.group', 'name the node group, or say --as-written to go where berth.yaml says')
        // An app's environment is no entrypoint; `shop/staging` can only mean the one thing here.
        const params = { app: target.app, pool: target.entrypoint ?? target.pool }
        const { rollout } = await context.client.call(
          'movePool',
          { params, body: { group: group ?? null } },
          { signal: context.signal },
        )
        if (rollout === undefined) return context.out.note(`${params.app}/${params.pool}: nothing has to move`)
        if (options.detach === true) return context.out.line(rollout.id)
        await followRollout(context, rollout.id)
      }),
    )
}

function registerCrons(program: Command): void {
  const cron = program.command('cron').alias('crons').summary('jobs that run by the clock')
  cron
    .command('ls')
    .summary('when they run next, and how the last run went')
    .argument('[app]')
    .option('-e, --environment <name>')
    .action(
      action<PoolOption>(async (context, [text], options) => {
        const { client, out, form, signal } = context
        const target = text === undefined ? undefined : parseTarget(text, context, options)
        const narrow = text?.includes('@') === true || options.environment !== undefined
        const query = {
          ...(target === undefined ? {} : { app: target.app }),
          ...(narrow ? { pool: target?.pool ?? options.environment } : {}),
        }
        const { items } = await client.list('listCrons', { query }, { signal })
        await printListing(items, cronListing(out.style, Date.now()), form, out)
      }),
    )
  cron
    .command('history')
    .summary('its last runs, the newest first')
    .argument('<target>', 'APP/ENTRYPOINT')
    .option('-e, --environment <name>')
    .action(
      action<PoolOption>(async (context, [text = ''], options) => {
        const { client, out, form, signal } = context
        const found = await client.call(
          'getCron',
          { params: jobParams(parseTarget(text, context, options)) },
          { signal },
        )
        await printListing(found.runs, runListing(out.style, Date.now()), form, out)
      }),
    )
  cron
    .command('run')
    .summary('run one now, besides its schedule')
    .argument('<target>', 'APP/ENTRYPOINT')
    .option('-e, --environment <name>')
    .option('-d, --detach', 'do not wait')
    .action(
      action<WaitOption>(async (context, [text = ''], options) => {
        const { client, out, signal } = context
        const job = await client.call('runCron', { params: jobParams(parseTarget(text, context, options)) }, { signal })
        if (options.detach === true) return out.line(job.id)
        throw new Exit(await followJob(context, job))
      }),
    )
}

function jobParams({ app, pool, entrypoint }: Target): { app: string; pool: string; entrypoint: string } {
  if (entrypoint !== undefined) return { app, pool, entrypoint }
  throw new BerthError(
    'usage.target',
    `${app}: which of its jobs? write ${app}/ENTRYPOINT; berth cron ls ${app} lists them`,
  )
}

const stateText = (state: CronRunView['state'], style: Style): string => {
  if (state === 'succeeded') return style.green(state)
  if (state === 'failed' || state === 'missed') return style.red(state)
  return state === 'running' ? style.blue(state) : style.yellow(state)
}

const cronListing = (style: Style, now: number): ListingView<CronView> => ({
  headers: ['job', 'environment', 'schedule', 'zone', 'next', 'last', 'ago'],
  row: (each) => {
    const [last] = each.runs
    return [
      `${each.app}/${each.entrypoint}`,
      each.pool,
      each.cron,
      each.zone,
      each.nextAt === undefined ? 'never' : `in ${formatAge(each.nextAt - now)}`,
      last === undefined ? '-' : stateText(last.state, style),
      last === undefined ? '-' : formatAge(now - last.dueAt),
    ]
  },
  wideHeaders: ['overlap', 'history', 'grace', 'next at'],
  wideRow: (each) => [
    each.overlap,
    String(each.history),
    formatAge(each.graceMs),
    each.nextAt === undefined ? '-' : new Date(each.nextAt).toISOString(),
  ],
  name: (each) => `${each.app}/${each.entrypoint}@${each.pool}`,
  empty: 'no job runs by the clock; give one a `schedule` in berth.yaml',
})

const runListing = (style: Style, now: number): ListingView<CronRunView> => ({
  headers: ['due', 'ago', 'state', 'took', 'exit', 'instance', 'why'],
  row: (each) => [
    new Date(each.dueAt).toISOString().slice(0, 19),
    formatAge(now - each.dueAt),
    stateText(each.state, style),
    each.startedAt === undefined || each.endedAt === undefined ? '-' : formatAge(each.endedAt - each.startedAt),
    each.exitCode === undefined ? '-' : String(each.exitCode),
    each.instance ?? '-',
    [
      ...(each.by === undefined ? [] : [`asked for by ${each.by}`]),
      ...(each.message === undefined ? [] : [each.message]),
    ].join('; ') || '-',
  ],
  name: (each) => each.instance ?? String(each.dueAt),
  empty: 'no runs yet',
})

function registerApprovals(program: Command): void {
  program
    .command('approve')
    .summary('say yes (or no) to an entrypoint that asks for much memory; alone it lists what waits')
    .argument('[target]', 'APP/ENTRYPOINT or APP/ENTRYPOINT@ENVIRONMENT')
    .option('-e, --environment <name>')
    .option('--deny', 'say no: the rollout that waits for it ends')
    .option('--all', 'also what has been decided')
    .action(
      action<PoolOption & { deny?: boolean; all?: boolean }>(async (context, [text], options) => {
        const { client, out, form, signal } = context
        if (text === undefined) {
          const { items } = await client.list('listApprovals', {}, { signal })
          const shown = options.all === true ? items : items.filter((each) => each.state === 'waiting')
          return await printListing(shown, approvalListing(Date.now()), form, out)
        }
        const params = jobParams(parseTarget(text, context, options))
        const body = { decision: options.deny === true ? ('deny' as const) : ('approve' as const) }
        const decided = await client.call('decideApproval', { params, body }, { signal })
        await printItem(
          decided,
          form,
          out,
          (each) =>
            `${each.app}/${each.entrypoint}@${each.pool}: ${formatBytes(each.memoryBytes)} in group ${each.group} ${each.state}`,
        )
      }),
    )
}

const approvalListing = (now: number): ListingView<ApprovalView> => ({
  headers: ['entrypoint', 'environment', 'group', 'memory', 'state', 'age', 'by'],
  row: (each) => [
    `${each.app}/${each.entrypoint}`,
    each.pool,
    each.group,
    formatBytes(each.memoryBytes),
    each.state,
    formatAge(now - each.requestedAt),
    each.decidedBy ?? each.requestedBy,
  ],
  name: (each) => `${each.app}/${each.entrypoint}@${each.pool}`,
  empty: 'nothing waits for approval',
})
