import type { AddressCheck, AddressFindingView, AddressView, OneAddress } from '@berth/api'
import type { Command } from 'commander'
import type { CommandContext } from '../command-context.ts'
import { Exit, exitCode } from '../exit-code.ts'
import { formatAge } from '../output/format.ts'
import { type ListingView, printItem, printListing } from '../output/print.ts'
import { action } from './command.ts'

interface ListOptions {
  readonly node?: string
  readonly pool?: string
  readonly app?: string
}

interface CheckOptions {
  readonly node?: string
  readonly release?: boolean
}

/** Single addresses: who has them, and whether what is written down is so. */
export function registerAddresses(ip: Command): void {
  ip.command('ls')
    .summary('addresses in use: whose they are, where, and of which block and pool; the nodes are asked')
    .option('--node <node>', 'only of this node')
    .option('--pool <pool>', 'only of this address pool')
    .option('--app <app>', 'only of this app')
    .action(
      action<ListOptions>(async (context, _, { node, pool, app }) => {
        const query = {
          ...(node === undefined ? {} : { node }),
          ...(pool === undefined ? {} : { pool }),
          ...(app === undefined ? {} : { app }),
        }
        const { items, silent } = await listAll(context, query)
        await printListing(items, addressListing(Date.now()), context.form, context.out)
        for (const each of silent)
          context.out.note(`${each.node} was not asked what was started there by hand: ${each.message}`)
      }),
    )
  ip.command('show')
    .argument('<address>')
    .summary('whose an address is, since when and by which names; of a free one, whose it was last')
    .action(
      action(async ({ client, out, form, signal }, [address = '']) => {
        const found = await client.call('getAddress', { params: { address } }, { signal })
        await printItem(found, form, out, (item) => addressText(item, Date.now()))
      }),
    )
  ip.command('check')
    .summary('compare what is written down of addresses with what nodes really have; exits with 1 where they differ')
    .option('--node <node>', 'only this node')
    .option('--release', 'have nodes take away what no container has; what runs is not touched')
    .action(
      action<CheckOptions>(async ({ client, out, form, signal }, _, { node, release = false }) => {
        const which = node === undefined ? {} : { node }
        const found = release
          ? await client.call('releaseAddresses', { body: which }, { signal })
          : await client.call('checkAddresses', { query: which }, { signal })
        if (form === 'json' || form === 'yaml') await printItem(found, form, out, () => '')
        else await printListing(found.findings, findingListing, form, out)
        for (const line of checkNotes(found, release)) out.note(line)
        if (found.findings.some(({ released }) => !released)) throw new Exit(exitCode.failed)
      }),
    )
}

type Query = { node?: string; pool?: string; app?: string; after?: string }

/** All parts, one after the other. */
async function listAll({ client, signal }: CommandContext, query: Query) {
  const items: AddressView[] = []
  const silent: AddressCheck['silent'] = []
  let after: string | undefined
  do {
    const part = { ...query, ...(after === undefined ? {} : { after }) }
    const found = await client.call('listAddresses', { query: part }, { signal })
    items.push(...found.items)
    silent.push(...found.silent)
    after = found.after
  } while (after !== undefined)
  return { items, silent }
}

const ownerOf = ({
  kind,
  instance,
  container,
  profiles = [],
}: Pick<AddressView, 'instance' | 'container' | 'profiles'> & { kind: string }): string =>
  instance ??
  (container === undefined ? kind : `${[container, ...profiles.map((each) => `[${each}]`)].join(' ')} (by hand)`)

const words: Readonly<Record<AddressView['kind'], string>> = {
  ...{ instance: 'instance', 'by-hand': 'by hand', gateway: 'the node' },
  kept: 'kept for containers started by hand',
}

export const addressListing = (now: number): ListingView<AddressView> => ({
  headers: ['address', 'node', 'block', 'pool', 'of', 'state'],
  row: ({ address, last, node, lender, block, pool = '-', state = '-', ...each }) => [
    ...[last === undefined ? address : `${address}–${last}`, node],
    ...[block ?? (lender === undefined ? '-' : `of ${lender}`), pool],
    ...[ownerOf({ ...each, kind: words[each.kind] }), state],
  ],
  wideHeaders: ['ipv6', 'age'],
  wideRow: ({ since, address6 = '-' }) => [address6, since === undefined ? '-' : formatAge(now - since)],
  name: ({ address }) => address,
  empty: 'no addresses',
})

export function addressText(found: OneAddress, now: number): string {
  const { address, address6, message, node, block, pool, profiles = [], state, since, names, last } = found
  const { lender, borrower } = found
  const rows: readonly (readonly [string, string | undefined])[] = [
    ['address', address],
    ['IPv6', address6],
    ['whose', message],
    ['node', node],
    ['block', block],
    ['pool', pool],
    ['profiles', profiles.length === 0 ? undefined : profiles.join(', ')],
    ['lent by', lender === undefined ? undefined : `${lender} to ${borrower}`],
    ['state', state],
    ['since', since === undefined ? undefined : `${formatAge(now - since)} ago (${new Date(since).toISOString()})`],
    ['names', names.length === 0 ? undefined : names.join(', ')],
    ['last', lastText(found, last, now)],
  ]
  return rows.flatMap(([key, value]) => (value === undefined ? [] : [`${key.padEnd(8)} ${value}`])).join('\n')
}

function lastText({ kind }: OneAddress, last: OneAddress['last'], now: number): string | undefined {
  if (last !== undefined) return `${last.instance} on ${last.node}, until ${formatAge(now - last.until)} ago`
  return kind === 'free' || kind === 'unassigned' ? 'of nobody, as far as this server remembers' : undefined
}

export const findingListing: ListingView<AddressFindingView> = {
  headers: ['address', 'node', 'what', ''],
  row: ({ address = '-', node = '-', message, leak, released }) => [
    ...[address, node, message],
    released ? 'taken away' : leak ? 'leak' : '',
  ],
  name: ({ address, message }) => address ?? message,
  empty: 'addresses are as they are written down',
}

export function checkNotes({ findings, compared, silent }: AddressCheck, release: boolean): string[] {
  const { nodes, instances, containers } = compared
  const leaks = findings.filter(({ leak, released }) => leak && !released).length
  return [
    `compared ${instances} instances with ${containers} containers on ${nodes} ${nodes === 1 ? 'node' : 'nodes'}`,
    ...(leaks === 0 ? [] : [leakNote(leaks, release)]),
    ...silent.map(({ node, message }) => `${node}: ${message}`),
  ]
}

const leakNote = (count: number, release: boolean): string =>
  release
    ? `${count} left over: nodes take such things away by themselves within two minutes; until they have seen them for half a minute they cannot be sure`
    : `${count} left over: nodes take such things away by themselves within two minutes, or now: --release`
