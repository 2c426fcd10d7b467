import type { AddressPoolView } from '@berth/api'
import { BerthError, formatDuration } from '@berth/core'
import type { Command } from 'commander'
import { type ListingView, printItem, printListing } from '../output/print.ts'
import { formatTable } from '../output/table.ts'
import { registerAddresses } from './addresses.ts'
import { action } from './command.ts'
import { parseDuration } from './logs.ts'
import { removeCommand, showCommand } from './named-commands.ts'
import { wholeNumber } from './words.ts'

interface PoolOptions {
  readonly ipv6?: string
  readonly blocksPerNode?: string
  readonly returnAfter?: string
  readonly site?: readonly string[]
  readonly group?: readonly string[]
  readonly nat?: boolean
  readonly disable?: boolean
  readonly enable?: boolean
}

interface AddOptions extends PoolOptions {
  readonly blockSize?: string
}

/** Addresses: pools of them, and who has which. */
export function registerAddressPools(program: Command): void {
  const ip = program
    .command('ip')
    .summary('addresses of instances: whose they are, and the pools that nodes get blocks of')
  registerAddresses(ip)
  const pool = ip.command('pool').alias('pools').summary('address pools, of which nodes get blocks when they join')
  pool
    .command('ls')
    .summary('address pools: for which nodes, and how much of them is given out')
    .action(
      action(async ({ client, out, form, signal }) => {
        const { items } = await client.call('listAddressPools', {}, { signal })
        await printListing(items, poolListing, form, out)
      }),
    )
  showCommand(pool, 'getAddressPool', { summary: 'one of them, with the nodes that have blocks of it', text: poolText })
  registerAdd(pool)
  registerSet(pool)
  removeCommand(pool, 'removeAddressPool', {
    summary: 'remove an address pool of which no node has a block',
    get: 'getAddressPool',
    question: (name) => `Remove the address pool ${name}?`,
    done: (name) => `the address pool ${name} is removed`,
  })
}

function registerAdd(pool: Command): void {
  withRules(
    pool
      .command('add')
      .argument('<name>')
      .argument('<range>', 'addresses that nobody has: 10.78.0.0/16')
      .summary('add an address pool; nodes that join from then on get blocks of it where it is for them')
      .option('--block-size <prefix>', 'prefix length of the nodes’ blocks (24: 253 instances)', wholeNumber),
  ).action(
    action<AddOptions>(async ({ client, out, form, signal }, [name = '', range = ''], options) => {
      const size = options.blockSize === undefined ? {} : { blockSize: Number(options.blockSize) }
      const body = { name, range, ...size, ...rulesOf(options) }
      await printItem(await client.call('addAddressPool', { body }, { signal }), form, out, poolText)
    }),
  )
}

function registerSet(pool: Command): void {
  withRules(
    pool
      .command('set')
      .argument('<name>')
      .summary('change for whom an address pool is; what has addresses keeps them')
      .option('--enable', 'give out blocks of it again'),
  ).action(
    action<PoolOptions>(async ({ client, out, form, signal }, [name = ''], options) => {
      const body = rulesOf(options)
      if (Object.keys(body).length === 0)
        throw new BerthError('usage.value', 'say what to set, e.g. --site paris or --disable; see: berth ip pool ls')
      const changed = await client.call('updateAddressPool', { params: { name }, body }, { signal })
      await printItem(changed, form, out, poolText)
    }),
  )
}

const withRules = (command: Command): Command =>
  command
    .option('--site <site...>', 'only for nodes whose label `site` is one of these; none: whatever it is')
    .option('--group <group...>', 'only for nodes of these groups; none: of all')
    .option('--ipv6 <prefix>', 'its addresses are ones of IPv6 too, behind this prefix, e.g. fd77:1::/64; it stays')
    .option('--blocks-per-node <count>', 'how many blocks a node in routed mode may have of it (4)', wholeNumber)
    .option('--return-after <duration>', 'how long a further block is empty before it is given back (10m)')
    .option('--no-nat', 'what its instances send to the outside bears their own addresses, not their node’s')
    .option('--nat', 'it bears their node’s address (default)')
    .option('--disable', 'give out no blocks of it; what has one keeps it')

export function rulesOf({ ipv6, blocksPerNode, returnAfter, site, group, nat, disable, enable }: PoolOptions): {
  ipv6?: string
  blocksPerNode?: number
  returnAfterMs?: number
  sites?: string[]
  groups?: string[]
  natOutgoing?: boolean
  disabled?: boolean
} {
  if (disable === true && enable === true)
    throw new BerthError('usage.value', '--disable and --enable: give one of them')
  return {
    ...(ipv6 === undefined ? {} : { ipv6 }),
    ...(blocksPerNode === undefined ? {} : { blocksPerNode: Number(blocksPerNode) }),
    ...(returnAfter === undefined ? {} : { returnAfterMs: parseDuration(returnAfter) }),
    ...(site === undefined ? {} : { sites: orNone(site) }),
    ...(group === undefined ? {} : { groups: orNone(group) }),
    ...(nat === undefined ? {} : { natOutgoing: nat }),
    ...(disable === true ? { disabled: true } : {}),
    ...(enable === true ? { disabled: false } : {}),
  }
}

const orNone = (names: readonly string[]): string[] => (names.length === 1 && names[0] === 'none' ? [] : [...names])

const forText = ({ sites, groups }: AddressPoolView): string =>
  [...sites.map((site) => `site=${site}`), ...groups.map((group) => `group=${group}`)].join(' ') || 'all nodes'

export function poolText(pool: AddressPoolView): string {
  const {
    name,
    range,
    ipv6,
    blockSize,
    blocksPerNode,
    returnAfterMs,
    natOutgoing,
    disabled,
    blocks,
    addresses,
    nodes,
  } = pool
  const rows: readonly (readonly [string, string])[] = [
    ['pool', `${name}${disabled ? ' (disabled: it gives out nothing)' : ''}`],
    ['range', range],
    ...(ipv6 === undefined ? [] : [['IPv6', `${ipv6}${sinceText(pool.ipv6Since)}`] as const]),
    ['for', forText(pool)],
    ['blocks', `/${blockSize}, ${blocks.used} of ${blocks.total} taken`],
    ['per node', `up to ${blocksPerNode}; given back when empty for ${formatDuration(returnAfterMs)}`],
    ['addresses', `${addresses.used} of instances`],
    ['outside', natOutgoing ? 'sees the node’s address' : 'sees the instance’s own address'],
  ]
  const lines = rows.map(([key, value]) => `${key.padEnd(10)} ${value}`)
  if (nodes.length === 0) return lines.join('\n')
  const hasLoans = nodes.some(({ borrowed, lent }) => borrowed !== undefined || lent !== undefined)
  const table = formatTable(
    ['node', 'blocks', 'addresses', ...(hasLoans ? ['borrowed', 'lent'] : [])],
    nodes.map(({ name: node, block, furtherBlocks, addresses: used, borrowed = 0, lent = 0 }) => [
      ...[node, [block, ...furtherBlocks].join(' '), String(used)],
      ...(hasLoans ? [String(borrowed), String(lent)] : []),
    ]),
  )
  return [...lines, '', table].join('\n')
}

const sinceText = (since: number | undefined): string =>
  since === undefined
    ? ''
    : `; instances made before ${new Date(since).toISOString()} have none until they are replaced (berth restart APP)`

export const poolListing: ListingView<AddressPoolView> = {
  headers: ['name', 'range', 'for', 'blocks', 'taken', 'addresses', 'state'],
  row: (pool) => [
    ...[pool.name, pool.range, forText(pool), `/${pool.blockSize}`, `${pool.blocks.used} of ${pool.blocks.total}`],
    ...[String(pool.addresses.used), pool.disabled ? 'disabled' : 'enabled'],
  ],
  name: ({ name }) => name,
  empty: 'no address pools',
}
