import type { MetricsView, TrafficCounts } from '@berth/api'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { formatBytes, formatCores } from '../output/format.ts'
import { type ListingView, printListing } from '../output/print.ts'
import { type PoolOption, parseTarget, requireTarget } from '../target.ts'
import { showAgain } from './again.ts'
import { action } from './command.ts'
import { registerTopNodes } from './top-nodes.ts'
import { registerTopRoutes } from './top-routes.ts'

export function registerTop(program: Command): void {
  const top = program
    .command('top')
    .summary('CPU, memory and traffic of instances')
    .argument('[app]', 'only of this app')
    .option('-e, --environment <name>')
    .option('-w, --watch', 'again every two seconds')
    .action(
      action<PoolOption & { watch?: boolean }>(async (context, [text], options) => {
        const target = text === undefined ? undefined : parseTarget(text, context, options)
        const query = { app: target?.app, pool: options.environment }
        if (target !== undefined) await requireTarget(context, { app: target.app, pool: options.environment })
        const now = () => show(context, { ...query, sinceMs: String(Date.now() - 15_000) })
        await now()
        if (options.watch === true) await showAgain(context, now)
      }),
    )
  registerTopNodes(top)
  registerTopRoutes(top)
}

async function show(
  { client, out, form, signal }: CommandContext,
  query: { app: string | undefined; pool: string | undefined; sinceMs: string },
): Promise<void> {
  const { items } = await client.call('getMetrics', { query }, { signal })
  const busiest = [...items].sort((a, b) => (b.samples.at(-1)?.cpuMilli ?? 0) - (a.samples.at(-1)?.cpuMilli ?? 0))
  await printListing(busiest, topListing, form, out)
}

export const topListing: ListingView<MetricsView> = {
  headers: ['instance', 'node', 'cpu', 'of', 'throttled', 'memory', 'of', 'net in/s', 'net out/s', 'tcp'],
  row: (each) => {
    const last = each.samples.at(-1)
    if (last === undefined) return [each.instance, each.node, '-', '-', '-', '-', '-', '-', '-', '-']
    return [
      each.instance,
      each.node,
      formatCores(Math.round(last.cpuMilli)),
      formatCores(each.cpuLimitMilli),
      formatCores(Math.round(last.throttledMilli)),
      formatBytes(last.memoryBytes),
      formatBytes(each.memoryLimitBytes),
      formatBytes(last.networkInBytes),
      formatBytes(last.networkOutBytes),
      String(Math.round(last.tcpConnections)),
    ]
  },
  wideHeaders: ['read/s', 'write/s', 'packets in/s', 'packets out/s', 'errors', 'drops', 'over limit'],
  wideRow: ({ samples, traffic }) => {
    const last = samples.at(-1)
    return [
      formatBytes(last?.blockReadBytes ?? 0),
      formatBytes(last?.blockWriteBytes ?? 0),
      String(last?.networkInPackets ?? '-'),
      String(last?.networkOutPackets ?? '-'),
      ...(['errors', 'drops', 'limitDrops'] as const).map((count) => bothWays(traffic, count)),
    ]
  },
  name: (each) => each.instance,
  empty: 'no samples yet',
}

/** `3 in, 0 out`: of packets that were lost since the interface was made. */
const bothWays = (traffic: MetricsView['traffic'], count: keyof TrafficCounts): string => {
  if (traffic === undefined) return '-'
  const [into, out] = [traffic.in[count], traffic.out[count]]
  return into === 0 && out === 0 ? '0' : `${into} in, ${out} out`
}
