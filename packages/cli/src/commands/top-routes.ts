import type { InstanceTrafficView, PortTrafficView, RouteTrafficView } from '@berth/api'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { formatBytes, formatMs, formatRate } from '../output/format.ts'
import { type ListingView, type Output, type OutputForm, printListing } from '../output/print.ts'
import { type PoolOption, parseTarget, requireTarget } from '../target.ts'
import { showAgain } from './again.ts'
import { action } from './command.ts'

interface TopRoutesOptions extends PoolOption {
  readonly instances?: boolean
  readonly watch?: boolean
}

export function registerTopRoutes(top: Command): void {
  top
    .command('routes')
    .summary('requests a second of routes, their errors and how fast they are answered; connections by ports')
    .argument('[app]', 'only of this app')
    .option('-e, --environment <name>')
    .option('--instances', 'of each instance instead')
    .option('-w, --watch', 'again every two seconds')
    .action(
      action<TopRoutesOptions>(async (context, [text], options) => {
        const target = text === undefined ? undefined : parseTarget(text, context, options)
        if (target !== undefined) await requireTarget(context, { app: target.app, pool: options.environment })
        const query = { app: target?.app, pool: options.environment }
        const now = () => show(context, query, options.instances === true)
        await now()
        if (options.watch === true) await showAgain(context, now)
      }),
    )
}

async function show(
  { client, out, form, signal }: CommandContext,
  query: { app: string | undefined; pool: string | undefined },
  byInstance: boolean,
): Promise<void> {
  const { routes, instances, ports = [], knownToMs } = await client.call('getTraffic', { query }, { signal })
  const isTable = form === 'table' || form === 'wide'
  // What is read by programs is one list.
  if (!isTable) await printAll(byInstance ? [...instances, ...partsOf(ports)] : [...routes, ...ports], form, out)
  else await printTables({ routes, instances, ports }, byInstance, form, out)
  if (knownToMs === undefined && form !== 'json' && routes.length + ports.length > 0)
    out.note('not every gateway that is online has told its requests yet; there may be more')
}

function printAll(
  items: readonly (RouteTrafficView | InstanceTrafficView | PortTrafficView | PortPart)[],
  form: OutputForm,
  out: Output,
): Promise<void> {
  const name = (each: (typeof items)[number]): string => ('instance' in each ? each.instance : each.url)
  return printListing(items, { headers: [], row: () => [], name, empty: '' }, form, out)
}

async function printTables(
  {
    routes,
    instances,
    ports,
  }: Record<'routes', readonly RouteTrafficView[]> &
    Record<'instances', readonly InstanceTrafficView[]> &
    Record<'ports', readonly PortTrafficView[]>,
  byInstance: boolean,
  form: OutputForm,
  out: Output,
): Promise<void> {
  const first = byInstance ? instances : routes
  if (first.length > 0 || ports.length === 0) {
    if (byInstance) await printListing(instances.toSorted(busiest), instanceTrafficListing, form, out)
    else await printListing(routes.toSorted(busiest), routeTrafficListing, form, out)
  }
  if (ports.length === 0) return
  if (first.length > 0) out.line('')
  if (byInstance) await printListing(partsOf(ports).toSorted(mostOpened), portPartListing, form, out)
  else await printListing(ports.toSorted(mostOpened), portTrafficListing, form, out)
}

/** The part that each instance has of a port. */
interface PortPart extends Omit<PortTrafficView, 'members' | 'app' | 'pool' | 'entrypoint'> {
  readonly instance: string
}

const partsOf = (ports: readonly PortTrafficView[]): PortPart[] =>
  ports.flatMap(({ url, members }) => members.map((member) => ({ url, ...member })))

type Connections = Pick<
  PortTrafficView,
  | 'connectionsPerSecond'
  | 'open'
  | 'packetsInPerSecond'
  | 'bytesInPerSecond'
  | 'packetsOutPerSecond'
  | 'bytesOutPerSecond'
>

const mostOpened = (a: Connections, b: Connections): number =>
  b.connectionsPerSecond - a.connectionsPerSecond || b.bytesOutPerSecond - a.bytesOutPerSecond
const portHeaders = ['connections/s', 'open', 'packets in/s', 'in/s', 'packets out/s', 'out/s']
const portRow = (each: Connections): string[] => [
  formatRate(each.connectionsPerSecond),
  String(each.open),
  formatRate(each.packetsInPerSecond),
  formatBytes(Math.round(each.bytesInPerSecond)),
  formatRate(each.packetsOutPerSecond),
  formatBytes(Math.round(each.bytesOutPerSecond)),
]

export const portTrafficListing: ListingView<PortTrafficView> = {
  headers: ['url', 'to', ...portHeaders],
  row: (each) => [each.url, `${each.app}/${each.pool}/${each.entrypoint}`, ...portRow(each)],
  name: (each) => each.url,
  empty: 'no ports',
}

export const portPartListing: ListingView<PortPart> = {
  headers: ['url', 'instance', ...portHeaders],
  row: (each) => [each.url, each.instance, ...portRow(each)],
  name: (each) => each.instance,
  empty: 'no port leads to an instance',
}

type Rate = Pick<
  RouteTrafficView,
  'perSecond' | 'errors4xxPerSecond' | 'errors5xxPerSecond' | 'lostPerSecond' | 'p50Ms' | 'p95Ms' | 'p99Ms'
>

const busiest = (a: Rate, b: Rate): number => b.perSecond - a.perSecond
const rateHeaders = ['requests/s', '4xx/s', '5xx/s', 'lost/s', 'p50', 'p95', 'p99']
const rateRow = (each: Rate): string[] => [
  formatRate(each.perSecond),
  formatRate(each.errors4xxPerSecond),
  formatRate(each.errors5xxPerSecond),
  formatRate(each.lostPerSecond),
  ...[each.p50Ms, each.p95Ms, each.p99Ms].map((ms) => (ms === undefined ? '-' : formatMs(ms))),
]

export const routeTrafficListing: ListingView<RouteTrafficView> = {
  headers: ['url', 'to', ...rateHeaders],
  row: (each) => [each.url, each.external ?? `${each.app}/${each.pool}/${each.entrypoint}`, ...rateRow(each)],
  name: (each) => each.url,
  empty: 'no routes; give an app some under `routes:` in its berth.yaml',
}

export const instanceTrafficListing: ListingView<InstanceTrafficView> = {
  headers: ['instance', 'release', ...rateHeaders],
  row: (each) => [each.instance, each.release, ...rateRow(each)],
  name: (each) => each.instance,
  empty: 'no instance has had a request from a gateway in the last minute',
}
