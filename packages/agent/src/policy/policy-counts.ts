import type { DecidingRule, DropsReport, RuleCount } from '@berth/api'
import {
  type CountedRule,
  dropMark,
  dropSetDefinitions,
  dropsKeptMs,
  formatRule,
  maxNotedDrops,
  type PolicyTable,
  policyTableName,
} from '@berth/core'
import { type Exec, mustRun } from '../network/run-command.ts'

const timeoutMs = 30_000
const tableWords = policyTableName.split(' ')

/** What the kernel has counted; of one profile where it is named. Rules that have no counter (yet) are left out. */
export async function readCounts(
  exec: Exec,
  table: PolicyTable,
  { profile, signal }: { readonly profile?: string | undefined; readonly signal?: AbortSignal | undefined },
): Promise<RuleCount[]> {
  const listed = await listJson(exec, ['counters', 'table', ...tableWords], signal)
  return listed.flatMap(({ counter }) => {
    const rule = counter === undefined ? undefined : table.counters.get(counter.name)
    if (counter === undefined || rule === undefined || !isOf(rule, profile)) return []
    return [{ ...decidingRule(rule), packets: counter.packets, bytes: counter.bytes }]
  })
}

const isOf = (rule: CountedRule, profile: string | undefined): boolean =>
  profile === undefined || (rule.kind === 'rule' ? rule.profile === profile : rule.profiles.includes(profile))

/** What was dropped in the last minutes, each with the rule that did it. */
export async function readDrops(
  exec: Exec,
  table: PolicyTable,
  { now, signal }: { readonly now: number; readonly signal?: AbortSignal | undefined },
): Promise<DropsReport> {
  const rules = new Map([...table.counters].map(([name, rule]) => [dropMark(name), rule]))
  const sets = await Promise.all(
    dropSetDefinitions.map(([name]) => listJson(exec, ['set', ...tableWords, name], signal)),
  )
  const elements = sets.map((listed) => listed.flatMap(({ set }) => set?.elem ?? []))
  const drops = elements.flat().flatMap(({ elem }) => {
    const [source, destination, protocol, ...rest] = elem.val.concat
    const mark = rest.at(-1)
    const port = rest.length > 1 ? rest[0] : undefined
    if (typeof source !== 'string' || typeof destination !== 'string') return []
    const by = rules.get(Number(mark))
    return [
      {
        ...{ source, destination, protocol: protocolName(String(protocol)) },
        ...(port === undefined ? {} : { port: Number(port) }),
        ...(by === undefined ? {} : { by: decidingRule(by) }),
        ...{ packets: elem.counter?.packets ?? 0, bytes: elem.counter?.bytes ?? 0 },
        at: now - Math.max(0, dropsKeptMs - elem.expires * 1000),
      },
    ]
  })
  return { isFull: elements.some((each) => each.length >= maxNotedDrops), drops }
}

/** As rules call it: nft has another name. */
const protocolName = (name: string): string => (name === 'ipv6-icmp' ? 'icmpv6' : name)

function decidingRule(counted: CountedRule): DecidingRule {
  const { end } = counted
  if (counted.kind === 'no-rule') return { end, profiles: counted.profiles }
  return { end, profile: counted.profile, number: counted.number, rule: formatRule(counted.rule) }
}

interface Listed {
  readonly counter?: { readonly name: string; readonly packets: number; readonly bytes: number }
  readonly set?: { readonly elem?: readonly ListedDrop[] }
}

interface ListedDrop {
  readonly elem: {
    readonly val: { readonly concat: readonly (string | number)[] }
    /** Seconds until it is forgotten. */
    readonly expires: number
    readonly counter?: { readonly packets: number; readonly bytes: number }
  }
}

async function listJson(exec: Exec, words: readonly string[], signal: AbortSignal | undefined): Promise<Listed[]> {
  const text = await mustRun(exec, 'nft', ['-j', 'list', ...words], { signal, timeoutMs })
  return (JSON.parse(text) as { readonly nftables: Listed[] }).nftables
}
