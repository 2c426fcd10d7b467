import { setTimeout as pause } from 'node:timers/promises'
import type { DropView, FlowView, RecentDrops } from '@berth/api'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { formatAge, formatBytes } from '../output/format.ts'
import { type ListingView, printItem, printListing } from '../output/print.ts'
import { action } from './command.ts'
import { wholeNumber } from './words.ts'

const of = 'only with this on one end: an instance, APP, APP/ENTRYPOINT, APP/POOL/ENTRYPOINT or an address'
const lookAgainMs = 2_000

interface FlowsOptions {
  readonly limit?: string
  readonly probes?: boolean
}

export function registerFlows(net: Command): void {
  net
    .command('flows')
    .argument('[of]', of)
    .summary('who talks to whom now, by name on both ends, and what the rules say; the nodes are asked')
    .option('--limit <count>', 'at most so many (1000)', wholeNumber)
    .option('--probes', 'with probes of health that are over')
    .action(
      action<FlowsOptions>(async ({ client, out, form, signal }, [end], { limit, probes = false }) => {
        const query = {
          ...(end === undefined ? {} : { of: end }),
          ...(limit === undefined ? {} : { limit: Number(limit) }),
          ...(probes ? { probes: 'true' } : {}),
        }
        const found = await client.call('listFlows', { query }, { signal })
        if (form === 'json' || form === 'yaml') await printItem(found, form, out, () => '')
        else await printListing(found.flows, flowListing, form, out)
        if (found.more > 0) out.note(`${found.more} more are not shown; name an end, or --limit`)
        if (found.probes > 0)
          out.note(
            `${found.probes} that are over, of nodes to their own instances, are not shown: mostly probes; --probes`,
          )
        for (const line of silentNotes(found.silent)) out.note(line)
      }),
    )
  net
    .command('drops')
    .argument('[of]', of)
    .summary('what rules have dropped in the last ten minutes, by name on both ends, and which rule did')
    .option('-f, --follow', 'go on showing what is dropped')
    .action(
      action<{ follow?: boolean }>(async (context, [end], { follow = false }) => {
        const query = end === undefined ? {} : { of: end }
        if (follow) return await followDrops(context, query)
        const { out, form } = context
        const found = await context.client.call('listDrops', { query }, { signal: context.signal })
        if (form === 'json' || form === 'yaml') await printItem(found, form, out, () => '')
        else await printListing(found.drops, dropListing(Date.now()), form, out)
        for (const line of dropNotes(found)) out.note(line)
      }),
    )
}

export const silentNotes = (silent: RecentDrops['silent']): string[] =>
  silent.map(({ node, message }) => `${node} was not asked: ${message}`)

const dropNotes = ({ full, silent }: RecentDrops): string[] => [
  ...full.map((node) => `${node} drops more than it can note: there may be others`),
  ...silentNotes(silent),
]

const portOf = ({ protocol, port }: { readonly protocol: string; readonly port?: number | undefined }): string =>
  port === undefined ? protocol : `${protocol}:${port}`

export const flowListing: ListingView<FlowView> = {
  headers: ['from', 'to', 'port', 'state', 'rules'],
  row: ({ from, to, state, answered, allowed, outbound, inbound, ...flow }) => [
    ...[from.name, to.name, portOf(flow), state?.toLowerCase() ?? (answered ? 'answered' : '-')],
    allowed ? 'pass' : `drop: ${[outbound, inbound].find((each) => !each.allowed)?.message}`,
  ],
  wideHeaders: ['source', 'destination', 'sent to', 'nodes', 'bytes', 'outbound', 'inbound'],
  wideRow: ({ from, to, sourcePort, sentTo = '-', bytes, outbound, inbound }) => [
    sourcePort === undefined ? from.address : `${from.address}:${sourcePort}`,
    ...[to.address, sentTo, [from.node ?? '-', to.node ?? '-'].join(' → ')],
    bytes === undefined ? '-' : formatBytes(bytes),
    ...[outbound.message, inbound.message],
  ],
  name: ({ from, to, ...flow }) => `${from.name} ${to.name} ${portOf(flow)}`,
  empty: 'no connections of instances are known to the kernels of their nodes',
}

export const dropListing = (now: number): ListingView<DropView> => ({
  headers: ['last', 'from', 'to', 'port', 'packets', 'why'],
  row: ({ at, from, to, packets, message, ...drop }) => [
    ...[formatAge(Math.max(0, now - at)), from.name, to.name, portOf(drop), String(packets), message],
  ],
  wideHeaders: ['source', 'destination', 'dropped by'],
  wideRow: ({ from, to, node }) => [from.address, to.address, node],
  name: ({ from, to, ...drop }) => `${from.name} ${to.name} ${portOf(drop)}`,
  empty: 'nothing was dropped in the last ten minutes',
})

async function followDrops({ client, out, form, signal }: CommandContext, query: { of?: string }): Promise<void> {
  const news = new DropNews()
  while (!signal.aborted) {
    const found = await client.call('listDrops', { query }, { signal })
    for (const drop of news.take(found.drops)) {
      if (form === 'json') out.line(JSON.stringify(drop))
      else out.line(dropLine(drop))
    }
    for (const line of news.notes(dropNotes(found))) out.note(line)
    await pause(lookAgainMs, undefined, { signal }).catch(() => undefined)
  }
}

export const dropLine = ({ at, from, to, packets, message, ...drop }: DropView): string =>
  `${new Date(at).toISOString()}  ${from.name} → ${to.name} ${portOf(drop)}  ${packets} ${packets === 1 ? 'packet' : 'packets'}  ${message}`

/** What is new since the look before, the latest last: `packets` are those since. */
export class DropNews {
  readonly #known = new Map<string, number>()
  readonly #said = new Set<string>()

  take(drops: readonly DropView[]): DropView[] {
    const news = drops.toReversed().flatMap((drop): DropView[] => {
      const key = [drop.node, drop.from.address, drop.to.address, portOf(drop), drop.message].join('\n')
      const before = this.#known.get(key) ?? 0
      this.#known.set(key, drop.packets)
      // Fewer than before: it was forgotten meanwhile, and began anew.
      const packets = drop.packets < before ? drop.packets : drop.packets - before
      return packets === 0 ? [] : [{ ...drop, packets }]
    })
    return news
  }

  /** Each once. */
  notes(lines: readonly string[]): string[] {
    const fresh = lines.filter((line) => !this.#said.has(line))
    for (const line of fresh) this.#said.add(line)
    return fresh
  }
}
