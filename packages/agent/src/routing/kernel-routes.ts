import { bgpTable } from '@berth/core'
import type { HostRoute } from '../network/host-state.ts'
import { type Exec, mustRun } from '../network/run-command.ts'

/** Before the main table (32766), after the local one (0). */
const priority = '1077'
const table = String(bgpTable)

interface Rule {
  readonly dst?: string
  readonly dstlen?: number
  readonly table?: string
}

interface Options {
  readonly signal?: AbortSignal | undefined
}

/** Has packets to the pool look into BIRD's table first. */
export async function ensureRule(exec: Exec, pool: string, { signal }: Options): Promise<void> {
  const rules = await ourRules(exec, { signal })
  const destinationOf = ({ dst, dstlen }: Rule): string => `${dst}/${dstlen ?? 32}`
  for (const rule of rules.filter((each) => destinationOf(each) !== pool))
    await mustRun(exec, 'ip', ['rule', 'delete', 'to', destinationOf(rule), ...ruleWords], { signal })
  if (rules.some((rule) => destinationOf(rule) === pool)) return
  await mustRun(exec, 'ip', ['rule', 'add', 'to', pool, ...ruleWords], { signal })
}

/** False when nothing was there. */
export async function removeTable(exec: Exec, { signal }: Options): Promise<boolean> {
  const rules = await ourRules(exec, { signal })
  for (const { dst, dstlen } of rules)
    await mustRun(exec, 'ip', ['rule', 'delete', 'to', `${dst}/${dstlen ?? 32}`, ...ruleWords], { signal })
  const routes = await tableRoutes(exec, { signal })
  if (routes.length > 0) await mustRun(exec, 'ip', ['-4', 'route', 'flush', 'table', table], { signal })
  return rules.length > 0 || routes.length > 0
}

/** What BIRD has put there. */
export async function tableRoutes(exec: Exec, { signal }: Options): Promise<HostRoute[]> {
  const args = ['-json', '-4', 'route', 'show', 'table', table, 'type', 'unicast']
  // A table that was never written is none, which is said as a failure.
  const { code, stdout } = await exec('ip', args, { signal })
  return code === 0 ? parseList<HostRoute>(stdout) : []
}

/** Routes of the main table that a BIRD has written: never ours. */
export async function foreignBirdRoutes(exec: Exec, { signal }: Options): Promise<HostRoute[]> {
  const args = ['-json', '-4', 'route', 'show', 'table', 'main', 'proto', 'bird']
  return parseList<HostRoute>(await mustRun(exec, 'ip', args, { signal }))
}

async function ourRules(exec: Exec, { signal }: Options): Promise<Rule[]> {
  const text = await mustRun(exec, 'ip', ['-json', '-4', 'rule', 'show', 'priority', priority], { signal })
  return parseList<Rule>(text).filter((rule) => rule.table === table && rule.dst !== undefined)
}

const ruleWords = ['priority', priority, 'table', table]

const parseList = <Item>(text: string): Item[] => (text.trim() === '' ? [] : (JSON.parse(text) as Item[]))
