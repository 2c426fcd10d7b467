import type { FreezeView } from '@berth/api'
import { BerthError, formatDuration, parseDuration } from '@berth/core'
import type { Command } from 'commander'
import { type ListingView, printItem } from '../output/print.ts'
import { action } from './command.ts'
import { listCommand, removeCommand } from './named-commands.ts'
import { warnOfPlaces } from './unknown-words.ts'

interface FreezeOptions {
  readonly app?: string
  readonly environment?: string
  readonly from?: string
  readonly until?: string
  readonly cron?: string
  readonly for?: string
  readonly zone?: string
  readonly reason: string
}

/** Times in which nothing new is deployed. */
export function registerFreeze(program: Command): void {
  const freeze = program.command('freeze').summary('times in which nothing new is deployed')
  listCommand(freeze, 'listFreezes', 'all of them', () => listing)
  freeze
    .command('add')
    .summary('freeze deploys: once (--from, --until), or again and again (--cron, --for)')
    .argument('<name>')
    .option('--app <app>', 'only of this app')
    .option('-e, --environment <name>', 'only of this environment')
    .option('--from <time>', 'with its offset from UTC: 2026-12-24T18:00+08:00')
    .option('--until <time>', 'as above')
    .option('--cron <expression>', 'when it begins, such as "0 18 * * fri"')
    .option('--for <duration>', 'how long it lasts then, such as 62h')
    .option('--zone <zone>', 'by whose clocks it begins (default: UTC)')
    .requiredOption('--reason <text>', 'told to whoever wants to deploy meanwhile')
    .action(
      action<FreezeOptions>(async (context, [name = ''], options) => {
        const { client, out, form, signal } = context
        const { app, environment: pool, from, until, cron, zone, reason } = options
        const times = { from: timeOf('--from', from), until: timeOf('--until', until), forMs: lengthOf(options.for) }
        const body = { name, reason, ...defined({ app, pool, cron, zone, ...times }) }
        const added = await client.call('addFreeze', { body }, { signal })
        await printItem(added, form, out, (each) => `${each.name}: deploys of ${ofText(each)}, ${whenText(each)}`)
        await warnOfPlaces(context, { app, pool })
      }),
    )
  removeCommand(freeze, 'removeFreeze', { summary: 'remove one', done: (name) => `freeze ${name} is removed` })
}

const ofText = ({ app, pool }: FreezeView): string =>
  [app ?? (pool === undefined ? 'the cluster' : '*'), ...(pool === undefined ? [] : [pool])].join('/')

const listing: ListingView<FreezeView> = {
  headers: ['name', 'of', 'when', 'now', 'reason', 'by'],
  row: (each) => [
    each.name,
    ofText(each),
    whenText(each),
    each.until === undefined ? '-' : `until ${new Date(each.until).toISOString()}`,
    each.reason,
    each.createdBy,
  ],
  name: (each) => each.name,
  empty: 'deploys are never frozen',
}

const whenText = ({ when }: FreezeView): string =>
  when.type === 'once'
    ? `${new Date(when.from).toISOString()} to ${new Date(when.until).toISOString()}`
    : `${when.cron} (${when.zone}) for ${formatDuration(when.forMs)}`

/** A time without an offset would be another one on another machine. */
function timeOf(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const time = /(Z|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isFinite(time)) return time
  throw new BerthError('usage.time', `${option} ${text}: write a time with its offset, such as 2026-12-24T18:00+08:00`)
}

function lengthOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const parsed = parseDuration(text)
  if (parsed.ok) return parsed.value
  throw new BerthError('usage.time', `--for ${text}: ${parsed.message}`)
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

const defined = <T extends object>(values: T): Defined<T> =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Defined<T>
