import type { MatrixPartyView, NetMatrix } from '@berth/api'
import type { Command } from 'commander'
import { type ListingView, printItem, printListing } from '../output/print.ts'
import { action } from './command.ts'
import { wholeNumber } from './words.ts'

interface MatrixOptions {
  readonly from?: string
  readonly to?: string
  readonly pools?: boolean
  readonly ipv6?: boolean
  readonly limit?: string
}

const usualLimit = 100

export function registerMatrix(net: Command): void {
  net
    .command('matrix')
    .summary('who may talk to whom by the rules of now: entrypoints, external services and what is outside')
    .option('--from <text>', 'only senders with this in their name')
    .option('--to <text>', 'only receivers with this in their name')
    .option('--pools', 'a line for each two pools, not entrypoints')
    .option('--ipv6', 'by IPv6; rules about networks and ICMP are of one version')
    .option('--limit <count>', 'at most so many senders and receivers, up to 100 (100)', wholeNumber)
    .action(
      action<MatrixOptions>(
        async ({ client, out, form, signal }, _, { from, to, pools = false, ipv6 = false, limit }) => {
          const query = {
            ...(from === undefined ? {} : { from }),
            ...(to === undefined ? {} : { to }),
            ...(pools ? { by: 'pool' as const } : {}),
            ...(ipv6 ? { family: 6 } : {}),
            limit: limit === undefined ? usualLimit : Number(limit),
          }
          const found = await client.call('getNetMatrix', { query }, { signal })
          if (form === 'json' || form === 'yaml') await printItem(found, form, out, () => '')
          else await printListing(matrixRows(found), { ...matrixListing, empty: emptyText(found, query) }, form, out)
          for (const [word, { parties, total }] of [
            ['senders', found.from],
            ['receivers', found.to],
          ] as const)
            if (parties.length < total) out.note(`${total - parties.length} more ${word} are not shown: --from, --to`)
        },
      ),
    )
}

/** Why there are no rows. */
function emptyText(
  { hasIpv6 = false }: NetMatrix,
  { from, to, family }: { from?: string; to?: string; family?: number },
) {
  if (family === 6 && !hasIpv6) return 'nobody has an address of IPv6; see: berth ip pool set --help'
  return from === undefined && to === undefined ? noInstances : matrixListing.empty
}

const noInstances = 'no instances, so nobody is asked; deploy an app with `berth deploy`'

export interface MatrixRow {
  readonly from: string
  readonly to: string
  readonly allowed: string
}

/** One for each two of which at least one is asked. */
export const matrixRows = ({ from, to, cells }: NetMatrix): MatrixRow[] =>
  from.parties.flatMap((sender, row) =>
    to.parties.flatMap((receiver, column) => {
      const cell = cells[row]?.[column]
      if (cell === undefined || cell.verdict === 'unasked') return []
      const words = { all: 'everything', none: 'nothing', some: cell.allows.join(' ').replace(/^any$/, 'everything') }[
        cell.verdict
      ]
      return [{ from: nameOf(sender), to: nameOf(receiver), allowed: cell.isMixed ? `${words} (not for all)` : words }]
    }),
  )

const nameOf = ({ kind, name }: MatrixPartyView): string => (kind === 'outside' ? kind : name)

export const matrixListing: ListingView<MatrixRow> = {
  headers: ['from', 'to', 'may'],
  row: ({ from, to, allowed }) => [from, to, allowed],
  name: ({ from, to }) => `${from} ${to}`,
  empty: 'nobody with an address has such a name',
}
