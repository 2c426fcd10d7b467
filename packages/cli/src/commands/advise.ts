import type { AdviceView } from '@berth/api'
import { BerthError, formatDuration, parseDuration } from '@berth/core'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { formatAge, formatBytes, formatCores } from '../output/format.ts'
import { type ListingView, printListing } from '../output/print.ts'
import type { Style } from '../output/style.ts'
import { type PoolOption, parseTarget, requireTarget } from '../target.ts'
import { action } from './command.ts'

interface AdviseOptions extends PoolOption {
  readonly least?: string
  readonly last?: string
}

export function registerAdvise(program: Command): void {
  program
    .command('advise')
    .summary('the right CPU, memory and count, by what was used')
    .description(
      'Compares what entrypoints ask for with what they used in the last week, and says what would be right, why, how sure that is and how to do it.\nExamples: berth advise · berth advise shop/web -o wide · berth advise shop -o json',
    )
    .argument('[target]', 'APP or APP/ENTRYPOINT; left out: everything')
    .option('-e, --environment <name>', 'only this environment')
    .option('--least <time>', 'advise after so long an observation already (an hour unless said otherwise)')
    .option('--last <time>', 'by the last 24h, or whatever; whole days are kept, seven of them')
    .action(action<AdviseOptions>(advise))
}

async function advise(context: CommandContext, [text]: readonly string[], options: AdviseOptions): Promise<void> {
  const { client, out, form, signal } = context
  const target = text === undefined ? undefined : parseTarget(text, context, options)
  const pool = options.environment ?? (text?.includes('@') === true ? target?.pool : undefined)
  const query = {
    app: target?.app,
    entrypoint: target?.entrypoint,
    pool,
    leastMs: durationOf('--least', options.least),
    windowMs: durationOf('--last', options.last),
  }
  const { items, missing } = await client.call('getAdvice', { query }, { signal })
  if (items.length === 0 && target !== undefined) await requireTarget(context, { ...target, pool })
  await printListing(items, adviceListing(out.style), form, out)
  if (form === 'table' || form === 'wide') for (const line of notes(items, out.style)) out.line(line)
  if (missing.length > 0) out.note(`not heard: ${missing.join(', ')}; what was used there is not reckoned with`)
}

function durationOf(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const read = parseDuration(text)
  if (read.ok && read.value >= 1000) return read.value
  throw new BerthError('usage.amount', `${option}: ${read.ok ? 'a second is the least' : read.message}`)
}

const adviceListing = (style: Style): ListingView<AdviceView> => ({
  headers: ['entrypoint', 'environment', 'instances', 'cpu', 'used p95', 'max', 'memory', 'used max', 'advice', 'sure'],
  row: (each) => [
    `${each.app}/${each.entrypoint}`,
    each.pool,
    each.type === 'job' ? 'job' : String(each.instances),
    cpu(each.asked.cpuMilli),
    cpu(each.used?.cpuP95Milli),
    cpu(each.used?.cpuMaxMilli),
    memory(each.asked.memoryBytes),
    memory(each.used?.memoryMaxBytes),
    adviceText(each, style),
    each.confidence ?? '-',
  ],
  wideHeaders: ['used p50', 'held back', 'restarts', 'out of memory', 'seen for', 'samples'],
  wideRow: ({ used }) =>
    used === undefined
      ? ['-', '-', '-', '-', '-', '0']
      : [
          cpu(used.cpuP50Milli),
          `${used.throttledMilli / 10} %`,
          String(used.restarts),
          String(used.outOfMemory),
          formatAge(used.lastAt - used.firstAt),
          String(used.samples),
        ],
  name: (each) => `${each.app}/${each.entrypoint}@${each.pool}`,
  empty: 'nothing is deployed yet',
})

const cpu = (milli: number | undefined): string => (milli === undefined ? '-' : formatCores(milli))
const memory = (bytes: number | undefined): string => (bytes === undefined ? '-' : formatBytes(bytes))

function adviceText({ kind, moreMs = 0, advised }: AdviceView, style: Style): string {
  if (kind === 'wait') return style.dim(`wait ${formatDuration(Math.ceil(moreMs / 1000) * 1000)}`)
  if (kind === 'keep') return style.green('right as it is')
  return style.yellow(`cpu ${cpu(advised?.cpuMilli)}, memory ${memory(advised?.memoryBytes)}`)
}

/** Of each that should change: why, how, and what comes of it. */
function notes(items: readonly AdviceView[], style: Style): string[] {
  return items.flatMap((each) => {
    const name = `${each.app}/${each.entrypoint}@${each.pool}`
    if (each.kind !== 'change' && each.commandInstead === undefined) return []
    return [
      '',
      style.bold(name),
      ...each.reasons.map((reason) => `  ${reason}`),
      ...(each.command === undefined ? [] : [`  ${each.command}${freed(each)}`]),
      ...(each.yaml === undefined ? [] : [`  in berth.yaml: ${each.yaml.join(', ')}`]),
      ...(each.commandInstead === undefined
        ? []
        : [`  or, with the sizes that it has, ${each.replicasInstead} of them: ${each.commandInstead}`]),
    ]
  })
}

function freed({ frees }: AdviceView): string {
  if (frees === undefined) return ''
  const part = (amount: number, text: string): string => `${amount < 0 ? 'takes' : 'frees'} ${text}`
  const parts = [
    ...(frees.cpuMilli === 0 ? [] : [part(frees.cpuMilli, `${formatCores(Math.abs(frees.cpuMilli))} cores`)]),
    ...(frees.memoryBytes === 0 ? [] : [part(frees.memoryBytes, formatBytes(Math.abs(frees.memoryBytes)))]),
  ]
  return parts.length === 0 ? '' : `   (${parts.join(', ')})`
}
