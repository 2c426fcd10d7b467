import type { EntrypointType } from '../model/app-spec.ts'
import { isName, nameRule } from '../model/names.ts'
import type {
  PlacementPreference,
  PlacementSpec,
  PlacementStrategy,
  SpreadShares,
  Taint,
} from '../model/placement-spec.ts'
import { parseRequirement } from '../schedule/requirement.ts'
import type { Siblings } from './canonical-bind.ts'
import { canonicalPeers, parseLabelName } from './canonical-peers.ts'
import { specDefaults } from './defaults.ts'
import { parseShare } from './quantities.ts'
import { compareText, given, readCount, readDuration, readTexts, requireKey, sortedRecord } from './read-values.ts'
import type { PlacementDocument, SharesDocument } from './spec-document.ts'
import { type IssueList, type Parsed, parsed, refused, type SpecPath } from './spec-issue.ts'

const dayMs = 86_400_000

/** What is said under `placement`, and nothing else: an environment's parts go over the entrypoint's. */
export function canonicalPlacementParts(
  issues: IssueList,
  path: SpecPath,
  document: PlacementDocument,
  { type, siblings }: { readonly type: EntrypointType; readonly siblings: Siblings },
): Partial<PlacementSpec> {
  const { group, strategy, where, prefer, apart, near, spread, max, tolerate, reschedule } = document
  const shares = spread === undefined ? undefined : canonicalShares(issues, [...path, 'spread'], spread)
  return {
    ...(group === undefined ? {} : { group: readGroup(issues, [...path, 'group'], group) }),
    ...(strategy === undefined ? {} : { strategy: canonicalStrategy(issues, [...path, 'strategy'], strategy, type) }),
    ...(where === undefined ? {} : { where: canonicalWhere(issues, [...path, 'where'], where) }),
    ...(prefer === undefined ? {} : { prefer: canonicalPrefer(issues, [...path, 'prefer'], prefer) }),
    ...(apart === undefined ? {} : { apart: canonicalPeers(issues, [...path, 'apart'], apart, siblings) }),
    ...(near === undefined ? {} : { near: canonicalPeers(issues, [...path, 'near'], near, siblings) }),
    ...(shares === undefined ? {} : { spread: shares }),
    ...(max === undefined ? {} : { max: canonicalMax(issues, [...path, 'max'], max) }),
    ...(tolerate === undefined ? {} : { tolerate: canonicalTolerate(issues, [...path, 'tolerate'], tolerate) }),
    ...(reschedule === undefined
      ? {}
      : { reschedule: canonicalReschedule(issues, [...path, 'reschedule'], reschedule, type) }),
  }
}

function readGroup(issues: IssueList, path: SpecPath, group: string): string {
  if (!isName(group)) issues.add(path, `${JSON.stringify(group)} cannot name a node group: use ${nameRule}`)
  return group
}

function canonicalStrategy(
  issues: IssueList,
  path: SpecPath,
  strategy: NonNullable<PlacementDocument['strategy']>,
  type: EntrypointType,
): PlacementStrategy {
  const read = readStrategy(issues, path, strategy)
  if (read.type === 'each' && type === 'job')
    issues.add(path, 'a job runs once: it cannot run on every node', {
      suggestion: 'leave it out, or make it a service',
      dependsOn: [[...path.slice(0, -2), 'type']],
    })
  return read
}

function readStrategy(
  issues: IssueList,
  path: SpecPath,
  strategy: NonNullable<PlacementDocument['strategy']>,
): PlacementStrategy {
  if (strategy === 'each') return { type: 'each', count: 1 }
  if (strategy === 'fill') {
    issues.add(path, '`fill` needs to know how many on a node', { suggestion: 'write {fill: 3}' })
    return specDefaults.placement.strategy
  }
  if (typeof strategy === 'string') return { type: strategy }
  const { fill, each } = strategy
  if ((fill === undefined) === (each === undefined)) {
    issues.add(path, 'a strategy with a number is one of `fill` and `each`', {
      suggestion: 'write {fill: 3} or {each: 2}',
    })
    return specDefaults.placement.strategy
  }
  const kind = fill === undefined ? 'each' : 'fill'
  return { type: kind, count: readCount(issues, [...path, kind], fill ?? each, 1, { min: 1 }) }
}

/** The grammar is the scheduler's (`schedule/requirement.ts`). */
function canonicalWhere(
  issues: IssueList,
  path: SpecPath,
  where: NonNullable<PlacementDocument['where']>,
): readonly string[] {
  const texts = new Set<string>()
  for (const [index, text] of given(typeof where === 'string' ? [where] : where)) {
    const at = typeof where === 'string' ? path : [...path, index]
    const read = issues.take(at, parseWhere(text))
    if (read !== undefined) texts.add(read)
  }
  return [...texts].sort(compareText)
}

function parseWhere(text: string): Parsed<string> {
  const read = parseRequirement(text)
  if (read.ok) return parsed(read.value.text)
  // In a list with brackets YAML ends an item at the comma.
  if (/\bin\s*\([^)]*$/.test(text))
    return refused(read.message, 'put the whole requirement in quotes: ["disk in (ssd, nvme)"]')
  return read
}

function canonicalPrefer(
  issues: IssueList,
  path: SpecPath,
  list: NonNullable<PlacementDocument['prefer']>,
): readonly PlacementPreference[] {
  const wishes = new Map<string, PlacementPreference>()
  for (const [index, item] of given(list)) {
    const short = typeof item === 'string'
    const at = (key: string): SpecPath => (short ? [...path, index] : [...path, index, key])
    const { where, weight } = short ? { where: item } : item
    const bounds = { min: -100, max: 100 }
    const read = readCount(issues, at('weight'), weight, specDefaults.weight, bounds)
    if (read === 0) issues.add(at('weight'), 'a weight of 0 says nothing', { suggestion: 'leave the wish out' })
    if (!requireKey(issues, [...path, index], 'where', where)) continue
    const text = issues.take(at('where'), parseWhere(where))
    if (text === undefined) continue
    if (wishes.has(text)) issues.add(at('where'), `${JSON.stringify(text)} is given twice`)
    wishes.set(text, { where: text, weight: read })
  }
  return [...wishes.values()].sort((a, b) => compareText(a.where, b.where))
}

function canonicalShares(
  issues: IssueList,
  path: SpecPath,
  { over, shares }: SharesDocument,
): SpreadShares | undefined {
  const label = requireKey(issues, path, 'over', over)
    ? issues.take([...path, 'over'], parseLabelName(over))
    : undefined
  if (shares === undefined) return label === undefined ? undefined : { over: label }
  const at = [...path, 'shares']
  const entries = Object.entries(shares).flatMap(([value, share]): [string, number][] => {
    const read = share === undefined ? undefined : issues.take([...at, value], parseShare(String(share)))
    return read === undefined ? [] : [[value, read]]
  })
  const sum = entries.reduce((total, [, share]) => total + share, 0)
  if (sum !== 1000)
    issues.add(at, `the shares are ${sum / 10}% together instead of 100%`, {
      dependsOn: Object.keys(shares).map((value) => [...at, value]),
    })
  return label === undefined ? undefined : { over: label, shares: sortedRecord(entries) }
}

function canonicalMax(
  issues: IssueList,
  path: SpecPath,
  max: NonNullable<PlacementDocument['max']>,
): PlacementSpec['max'] {
  const node = readCount(issues, [...path, 'node'], max.node, undefined, { min: 1 })
  const site = readCount(issues, [...path, 'site'], max.site, undefined, { min: 1 })
  return { ...(node === undefined ? {} : { node }), ...(site === undefined ? {} : { site }) }
}

function canonicalTolerate(
  issues: IssueList,
  path: SpecPath,
  tolerate: NonNullable<PlacementDocument['tolerate']>,
): readonly Taint[] {
  const taints = new Map<string, Taint>()
  const texts = readTexts(issues, path, tolerate)
  for (const [index, text] of texts.entries()) {
    const taint = issues.take(typeof tolerate === 'string' ? path : [...path, index], parseTaint(text))
    if (taint !== undefined) taints.set(formatTaint(taint), taint)
  }
  return [...taints.values()].sort((a, b) => compareText(formatTaint(a), formatTaint(b)))
}

/** `dedicated=team-a`, or `dedicated` for whatever value. */
export function parseTaint(text: string): Parsed<Taint> {
  const match = /^([^=]+)(?:=(.*))?$/.exec(text.trim())
  const [, key = '', value] = match ?? []
  const isWhole = parseLabelName(key).ok && (value === undefined || /^[A-Za-z0-9._:/@+-]{0,63}$/.test(value))
  if (!isWhole) return refused(`${JSON.stringify(text)} is no taint: write one such as gpu or dedicated=team-a`)
  return parsed(value === undefined ? { key } : { key, value })
}

export const formatTaint = ({ key, value }: { readonly key: string; readonly value?: string | undefined }): string =>
  value === undefined ? key : `${key}=${value}`

function canonicalReschedule(
  issues: IssueList,
  path: SpecPath,
  { after }: NonNullable<PlacementDocument['reschedule']>,
  type: EntrypointType,
): PlacementSpec['reschedule'] {
  if (type === 'job')
    issues.add(path, 'a job is not begun again on another node: half of its work may be done', {
      atKey: true,
      suggestion: 'leave it out',
      dependsOn: [[...path.slice(0, -2), 'type']],
    })
  if (after === 'never') return 'never'
  const { afterMs } = specDefaults.placement.reschedule
  return { afterMs: readDuration(issues, [...path, 'after'], after, afterMs, { min: 1000, max: 7 * dayMs }) }
}
