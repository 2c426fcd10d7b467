import type { CloudTableView } from '@berth/api'
import type { Command } from 'commander'
import { readText } from '../files.ts'
import { type ListingView, printItem } from '../output/print.ts'
import { readSecret } from '../read-secret.ts'
import { action } from './command.ts'
import { routingText } from './net-text.ts'

interface TableOptions {
  readonly site?: string
  readonly token?: boolean
  readonly tokenFile?: string
}

/** Route tables of providers, in which each node's block has an entry. */
export function registerCloudTables(net: Command): void {
  const cloud = net.command('cloud').summary('route tables of a provider, in which each node’s block has an entry')
  cloud
    .command('set')
    .summary('keep an entry of each node’s block in a route table, behind an HTTP service')
    .argument('<name>')
    .argument('<url>', 'of the service: https://routes.example/vpc-1')
    .option('--site <site>', 'only nodes with this label `site` (default: all)')
    .option('--token', 'ask for the token that the service wants; it never stands on the command line')
    .option('--token-file <path>', 'read it from this file; an empty one takes it away')
    .action(
      action<TableOptions>(async ({ client, out, form, signal }, [name = '', url = ''], options) => {
        const token = await tokenOf(name, options, signal)
        const { site } = options
        const body = { url, ...(site === undefined ? {} : { site }), ...(token === undefined ? {} : { token }) }
        await printItem(
          await client.call('setCloudTable', { params: { name }, body }, { signal }),
          form,
          out,
          routingText,
        )
      }),
    )
  cloud
    .command('rm')
    .summary('keep the entries of a route table no more; they stay there')
    .argument('<name>')
    .action(
      action(async ({ client, out, signal, confirm }, [name = '']) => {
        await confirm(`Keep the entries of ${name} no more?`)
        await client.call('removeCloudTable', { params: { name } }, { signal })
        out.note(`the route table ${name} is kept no more; its entries stay there`)
      }),
    )
}

async function tokenOf(name: string, options: TableOptions, signal: AbortSignal): Promise<string | undefined> {
  if (options.tokenFile !== undefined) return readText(options.tokenFile).replace(/\r?\n$/, '')
  return options.token === true ? await readSecret(`token of the route table ${name}`, signal) : undefined
}

/** Of whole tables. */
export const cloudProblems = (tables: readonly CloudTableView[]): string[] =>
  tables.flatMap(({ name, problem }) => (problem === undefined ? [] : [`route table ${name}: ${problem}`]))

export interface CloudRouteRow {
  readonly table: string
  readonly node: string
  readonly block: string
  readonly via: string
  readonly state: 'in force' | 'waiting' | 'refused'
  readonly why: string
}

export const cloudRouteRows = (tables: readonly CloudTableView[]): CloudRouteRow[] =>
  tables.flatMap(({ name: table, inForce, pending, failed }) => [
    ...failed.map((route) => rowOf(table, 'refused', route, route.why)),
    ...pending.map((route) => rowOf(table, 'waiting', route)),
    ...inForce.map((route) => rowOf(table, 'in force', route)),
  ])

const rowOf = (
  table: string,
  state: CloudRouteRow['state'],
  { node, destination, nextHop }: CloudTableView['inForce'][number],
  why = '',
): CloudRouteRow => ({ table, node, block: destination, via: nextHop, state, why })

export const cloudRouteListing: ListingView<CloudRouteRow> = {
  headers: ['table', 'node', 'block', 'via', 'state', 'why'],
  row: ({ table, node, block, via, state, why }) => [table, node, block, via, state, why],
  name: ({ table, block }) => `${table}/${block}`,
  empty: 'no route tables of a provider, or none is kept; see: berth net show',
}
