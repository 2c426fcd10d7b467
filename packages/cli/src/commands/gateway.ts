import type { FailoverAddressView, FailoverNodeView } from '@berth/api'
import { type Command, Option } from 'commander'
import { formatAge } from '../output/format.ts'
import { type ListingView, printItem } from '../output/print.ts'
import { action } from './command.ts'
import { listCommand } from './named-commands.ts'

interface AddOptions {
  readonly site?: string
  readonly by?: 'vrrp' | 'bgp'
}

/** The gateways together, whichever of them serves. */
export function registerGateway(program: Command): void {
  const address = program
    .command('gateway')
    .summary('the gateways together: addresses that stay reachable when one of them dies')
    .command('address')
    .summary('failover addresses: who has each now, and since when')
  registerAdd(address)
  listCommand(
    address,
    'listFailoverAddresses',
    'failover addresses: who has each now, since when, and what is wrong',
    () => listing,
  )
  address
    .command('inspect')
    .summary('one of them, gateway by gateway')
    .argument('<address>')
    .action(
      action(async ({ client, out, form, signal }, [given = '']) => {
        const view = await client.call('getFailoverAddress', { params: { address: given } }, { signal })
        await printItem(view, form, out, failoverText)
      }),
    )
  address
    .command('rm')
    .summary('take one away from the gateways; nobody answers at it then')
    .argument('<address>')
    .action(
      action(async ({ client, out, signal, confirm }, [given = '']) => {
        const params = { address: given }
        const { address: found } = await client.call('getFailoverAddress', { params }, { signal })
        await confirm(`Take ${found} away from the gateways? Clients that use it reach nobody then.`)
        await client.call('removeFailoverAddress', { params }, { signal })
        out.note(`${found} is no failover address any more`)
      }),
    )
}

function registerAdd(address: Command): void {
  address
    .command('add')
    .summary('give the gateways an address that another takes over when its machine dies')
    .description(
      'By VRRP one gateway holds the address in its network, and another takes it within seconds when that one dies, its nginx does not answer, or its node is drained. By BGP every gateway that is well announces it to the routers (berth net peer set). Nobody else may have the address.\nExamples: berth gateway address add 192.0.2.10 · berth gateway address add 192.0.2.10 --site paris · berth gateway address add 2001:db8::10 --by vrrp',
    )
    .argument('<address>')
    .option('--site <site>', 'only gateways of this site (default: all)')
    .addOption(
      new Option(
        '--by <way>',
        'vrrp: one holds it; bgp: all announce it (default: bgp where routes are, else vrrp)',
      ).choices(['vrrp', 'bgp']),
    )
    .action(
      action<AddOptions>(async ({ client, out, form, signal }, [given = ''], { site, by }) => {
        const body = { address: given, ...(site === undefined ? {} : { site }), ...(by === undefined ? {} : { by }) }
        await printItem(await client.call('addFailoverAddress', { body }, { signal }), form, out, failoverText)
      }),
    )
}

const ages = ({ since }: FailoverNodeView, now: number): string => (since === undefined ? '' : formatAge(now - since))

export function failoverText(view: FailoverAddressView, now = Date.now()): string {
  const { address, site, by, chosen, nodes, problems } = view
  const way = by === 'vrrp' ? 'VRRP: one gateway holds it' : 'BGP: gateways that are well announce it'
  const rows: readonly (readonly [string, string])[] = [
    ['address', address],
    ['by', `${way}${chosen ? '' : ', as routes are'}`],
    ['gateways', site === undefined ? 'all' : `of ${site}`],
    ...nodes.map((node): [string, string] => {
      const said = node.state === 'holds' ? `has it since ${ages(node, now)}` : node.state
      const mark = node.preferred ? 'preferred' : ''
      return ['node', [node.name, said, mark, node.message ?? ''].filter((each) => each !== '').join('  ')]
    }),
    ...problems.map((problem): [string, string] => ['problem', problem]),
  ]
  return rows.map(([key, value]) => `${key.padEnd(9)} ${value}`).join('\n')
}

/** Those that have it now. */
export const holdersText = ({ nodes }: FailoverAddressView, now = Date.now()): string =>
  nodes
    .filter(({ state }) => state === 'holds')
    .map((node) => `${node.name} (since ${ages(node, now)})`)
    .join(', ') || 'nobody'

const listing: ListingView<FailoverAddressView> = {
  headers: ['address', 'by', 'site', 'held by', 'others', 'problems'],
  row: (view) => [
    ...[view.address, view.by, view.site ?? '-', holdersText(view)],
    view.nodes.flatMap(({ name, state }) => (state === 'holds' ? [] : [name])).join(', ') || '-',
    view.problems.length > 1 ? `${view.problems[0]} (and ${view.problems.length - 1} more)` : (view.problems[0] ?? '-'),
  ],
  wideHeaders: ['preferred', 'age'],
  wideRow: ({ nodes, createdAt }) => [
    nodes.find(({ preferred }) => preferred)?.name ?? '-',
    formatAge(Date.now() - createdAt),
  ],
  name: ({ address }) => address,
  empty: 'no failover addresses; see: berth gateway address add --help',
}
