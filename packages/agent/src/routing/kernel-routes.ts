import { bgpTable, formatBlock } from '@berth/core'
import type { HostRoute } from '../network/host-state.ts'
import { type NetworkPlan6, ownBlocks6 } from '../network/ipv6-plan.ts'
import { type AddressPlan, ownBlocks } from '../network/network-plan.ts'
import { type Exec, mustRun } from '../network/run-command.ts'

const table = String(bgpTable)

/** Where packets to a block are to be looked up; before the main table's own rule (32766), after the local table's (0). */
interface RulePlace {
  readonly priority: string
  readonly table: string
}

/** Of its own block what other nodes have is theirs. */
const ofAway: RulePlace = { priority: '1075', table }
/** What the node has itself is its own also when a router tells a network that contains it. */
const ofOwnBlock: RulePlace = { priority: '1076', table: 'main' }
const ofPool: RulePlace = { priority: '1077', table }

interface Rule {
  readonly dst?: string
  readonly dstlen?: number
  readonly table?: string
}

interface Options {
  readonly signal?: AbortSignal | undefined
}

/** Has packets to the pools look into BIRD's table first, but for those to the node's own addresses. */
export async function ensureRules(exec: Exec, plan: RulesPlan, options: Options): Promise<void> {
  await ensureRulesTo(exec, plan.away.map(formatBlock), ofAway, options)
  await ensureRulesTo(exec, ownBlocks(plan).map(formatBlock), ofOwnBlock, options)
  await ensureRulesTo(exec, plan.pools.map(formatBlock), ofPool, options)
}

/** The same of IPv6. */
export async function ensureRules6(exec: Exec, plan: RulesPlan6, options: Options): Promise<void> {
  await ensureRulesTo(exec, plan.away, ofAway, options, '-6')
  await ensureRulesTo(exec, ownBlocks6(plan), ofOwnBlock, options, '-6')
  await ensureRulesTo(exec, plan.pools, ofPool, options, '-6')
}

type RulesPlan6 = Pick<NetworkPlan6, 'pools' | 'block' | 'addresses' | 'away'>
type Family = '-4' | '-6'

export type RulesPlan = Pick<AddressPlan, 'pools' | 'block' | 'addresses' | 'away'>

async function ensureRulesTo(
  exec: Exec,
  wanted: readonly string[],
  place: RulePlace,
  options: Options,
  family: Family = '-4',
): Promise<void> {
  const rules = await ourRules(exec, place, options, family)
  for (const rule of rules.filter((each) => !wanted.includes(destinationOf(each))))
    await removeRule(exec, rule, place, options, family)
  for (const to of wanted)
    if (!rules.some((rule) => destinationOf(rule) === to))
      await mustRun(exec, 'ip', [family, 'rule', 'add', 'to', to, ...wordsOf(place)], options)
}

/** False when nothing was there. */
export async function removeTable(exec: Exec, { signal }: Options): Promise<boolean> {
  let found = false
  for (const family of ['-4', '-6'] as const) {
    for (const place of [ofPool, ofOwnBlock, ofAway])
      for (const rule of await ourRules(exec, place, { signal }, family)) {
        await removeRule(exec, rule, place, { signal }, family)
        found = true
      }
    const routes = await tableRoutes(exec, { signal }, family)
    if (routes.length > 0) await mustRun(exec, 'ip', [family, 'route', 'flush', 'table', table], { signal })
    found ||= routes.length > 0
  }
  return found
}

/** What BIRD has put there. */
export async function tableRoutes(exec: Exec, { signal }: Options, family: Family = '-4'): Promise<HostRoute[]> {
  const args = ['-json', family, 'route', 'show', 'table', table, 'type', 'unicast']
  // A table that was never written is none, which is said as a failure.
  const { code, stdout } = await exec('ip', args, { signal })
  return code === 0 ? parseList<HostRoute>(stdout) : []
}

/** Routes of the main table that a BIRD has written: never ours. */
export async function foreignBirdRoutes(exec: Exec, { signal }: Options): Promise<HostRoute[]> {
  const args = ['-json', '-4', 'route', 'show', 'table', 'main', 'proto', 'bird']
  return parseList<HostRoute>(await mustRun(exec, 'ip', args, { signal }))
}

async function ourRules(
  exec: Exec,
  { priority, table: wanted }: RulePlace,
  { signal }: Options,
  family: Family = '-4',
): Promise<Rule[]> {
  const args = ['-json', family, 'rule', 'show', 'priority', priority]
  // A kernel without IPv6 has no rules of it, which is said as a failure.
  const { code, stdout } =
    family === '-4'
      ? { code: 0, stdout: await mustRun(exec, 'ip', args, { signal }) }
      : await exec('ip', args, { signal })
  const text = code === 0 ? stdout : ''
  return parseList<Rule>(text).filter((rule) => rule.table === wanted && rule.dst !== undefined)
}

async function removeRule(
  exec: Exec,
  rule: Rule,
  place: RulePlace,
  { signal }: Options,
  family: Family,
): Promise<void> {
  await mustRun(exec, 'ip', [family, 'rule', 'delete', 'to', destinationOf(rule), ...wordsOf(place)], { signal })
}

const destinationOf = ({ dst = '', dstlen }: Rule): string => `${dst}/${dstlen ?? (dst.includes(':') ? 128 : 32)}`
const wordsOf = ({ priority, table: to }: RulePlace): string[] => ['priority', priority, 'table', to]

const parseList = <Item>(text: string): Item[] => (text.trim() === '' ? [] : (JSON.parse(text) as Item[]))
