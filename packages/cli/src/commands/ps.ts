import type { InstanceView } from '@berth/api'
import { formatBandwidth } from '@berth/core'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { formatAge, formatBytes, formatCores } from '../output/format.ts'
import { type ListingView, printListing } from '../output/print.ts'
import type { Style } from '../output/style.ts'
import { type PoolOption, parseTarget, requireTarget } from '../target.ts'
import { showAgain } from './again.ts'
import { action } from './command.ts'

interface PsOptions extends PoolOption {
  readonly node?: string
  readonly all?: boolean
  readonly watch?: boolean
}

export function registerPs(program: Command): void {
  program
    .command('ps')
    .summary('instances')
    .description('Lists instances, of all apps or of one.')
    .argument('[target]', 'APP, APP/ENTRYPOINT or APP@ENVIRONMENT')
    .option('-e, --environment <name>', 'only this environment')
    .option('--node <name>', 'only on this node')
    .option('-a, --all', 'with ended ones')
    .option('-w, --watch', 'again every two seconds')
    .action(
      action<PsOptions>(async (context, [text], options) => {
        await show(context, text, options)
        if (options.watch === true) await showAgain(context, () => show(context, text, options))
      }),
    )
}

async function show(context: CommandContext, text: string | undefined, options: PsOptions): Promise<void> {
  const { client, out, form, signal } = context
  const target = text === undefined ? undefined : parseTarget(text, context, options)
  const pool = options.environment ?? (text?.includes('@') === true ? target?.pool : undefined)
  const query = {
    app: target?.app,
    entrypoint: target?.entrypoint,
    pool,
    node: options.node,
    ...(options.all === true ? { all: 'true' } : {}),
  }
  const { items } = await client.list('listInstances', { query }, { signal })
  if (items.length === 0) {
    if (target !== undefined) await requireTarget(context, { ...target, pool })
    if (options.node !== undefined) await client.call('getNode', { params: { name: options.node } }, { signal })
  }
  const filtered = Object.values(query).some((each) => each !== undefined)
  const view = instanceListing(out.style, Date.now())
  await printListing(items, filtered ? { ...view, empty: 'no instances there' } : view, form, out)
  if (form === 'table') for (const line of whyNotReady(items)) out.note(line)
}

export const instanceListing = (style: Style, now: number): ListingView<InstanceView> => ({
  headers: ['instance', 'app', 'environment', 'release', 'node', 'address', 'state', 'restarts', 'age'],
  row: (each) => [
    each.name,
    each.app,
    each.pool,
    each.release,
    each.node ?? '-',
    each.address ?? '-',
    stateText(each, style),
    String(each.restarts),
    formatAge(now - (each.startedAt ?? each.createdAt)),
  ],
  wideHeaders: ['kept', 'cpu', 'memory', 'cores', 'in', 'out', 'other networks', 'container', 'message'],
  wideRow: (each) => [
    each.slot === undefined ? '-' : `no. ${each.slot}`,
    grantText(each.cpuMilli, each.granted?.cpuMilli, formatCores),
    grantText(each.memoryBytes, each.granted?.memoryBytes, formatBytes),
    each.cores ?? '-',
    limitText(each.inBitsPerSecond),
    limitText(each.outBitsPerSecond),
    each.networks?.map(({ name, address }) => `${name} ${address ?? '(no address)'}`).join(', ') ?? '-',
    each.containerId?.slice(0, 12) ?? '-',
    each.message ?? '',
  ],
  name: (each) => each.id,
  empty: 'no instances; deploy an app with `berth deploy`',
})

/** Of its network. */
const limitText = (bitsPerSecond: number | undefined): string =>
  bitsPerSecond === undefined ? '-' : formatBandwidth(bitsPerSecond)

/** `1.5 (still 1)`: the container does not have yet what it is to have. */
const grantText = (
  granted: number | undefined,
  has: number | undefined,
  format: (amount: number) => string,
): string => {
  if (granted === undefined) return '-'
  return has === undefined || has === granted ? format(granted) : `${format(granted)} (still ${format(has)})`
}

/** What a table has no room for: why an instance is not there yet. */
const whyNotReady = (instances: readonly InstanceView[]): string[] =>
  instances
    .filter((each) => each.phase !== 'ended' && each.desired === 'run' && !each.ready && each.message !== undefined)
    .map((each) => `${each.name}: ${each.message}`)

export function stateText(each: InstanceView, style: Style): string {
  if (each.phase === 'ended')
    return each.lastExit === undefined || each.lastExit.code === 0
      ? style.dim('ended')
      : style.red(`ended (${each.lastExit.code})`)
  if (each.desired === 'drain') return style.dim('draining')
  if (each.desired === 'stop' || each.phase === 'stopping') return style.dim('stopping')
  if (each.node === undefined) return style.yellow('waiting')
  if (each.ready) return style.green('ready')
  if (each.type === 'job' && each.phase === 'running') return style.green('running')
  if (each.lastExit !== undefined)
    return style.red(each.lastExit.outOfMemory ? 'out of memory' : `exited (${each.lastExit.code})`)
  // It was, and its probe fails now, or nobody hears its node.
  if (each.readyAt !== undefined && each.phase === 'running') return style.yellow('not ready')
  return style.yellow('starting')
}
