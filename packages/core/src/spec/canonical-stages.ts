import type { InstanceShare } from '../model/instance-share.ts'
import type { StageHookSpec, StageSpec } from '../model/stage-spec.ts'
import { canonicalGates } from './canonical-gates.ts'
import { canonicalHooks } from './canonical-hooks.ts'
import { isAboutAll } from './is-about-all.ts'
import { parseShare } from './quantities.ts'
import { readShare } from './read-share.ts'
import { given, readDuration } from './read-values.ts'
import { siteName } from './route-options.ts'
import type { Amount, RolloutDocument, StageDocument } from './spec-document.ts'
import type { IssueList, SpecPath } from './spec-issue.ts'

/** Each is kept in the rollout's record. */
const mostStages = 20
const mostNameLength = 60
const mostSites = 20

/** undefined where nothing was written. What is not about all instances is followed by a stage that is. */
export function canonicalStages(
  issues: IssueList,
  at: SpecPath,
  stages: RolloutDocument['stages'],
): readonly StageSpec[] | undefined {
  if (stages === undefined) return undefined
  if (stages.length > mostStages) issues.add(at, `${stages.length} stages are too many: at most ${mostStages}`)
  const written = [...given(stages)].map(([index, each]) => canonicalStage(issues, [...at, index], each))
  refuseBackwards(issues, at, written)
  const last = written.at(-1)
  if (last === undefined || (isAboutAll(last) && last.beside !== true)) return written
  return [...written, { name: 'all', gates: [] }]
}

function canonicalStage(issues: IssueList, at: SpecPath, document: StageDocument): StageSpec {
  const instances = readShare(issues, [...at, 'instances'], document.instances, undefined)
  if (instances !== undefined && isNone(instances))
    issues.add([...at, 'instances'], 'a stage without an instance of the new release shows nothing', {
      suggestion: 'write 1 or more',
    })
  const sites = readSites(issues, [...at, 'sites'], document.sites)
  const entrypoints =
    document.entrypoints === undefined ? undefined : [...given(document.entrypoints)].map(([, name]) => name)
  refuseBoth(issues, at, document)
  const { traffic, grow } = readTraffic(issues, [...at, 'traffic'], document.traffic)
  // As many as have to do with so much of the requests.
  const counted =
    instances ??
    (traffic === undefined || document.beside === true || sites !== undefined
      ? undefined
      : { percent: Math.ceil(traffic / 10) })
  return {
    name: readName(issues, [...at, 'name'], document.name) ?? nameOf(counted, sites, entrypoints),
    ...(counted === undefined ? {} : { instances: counted }),
    ...(sites === undefined ? {} : { sites }),
    ...(entrypoints === undefined ? {} : { entrypoints }),
    ...(traffic === undefined ? {} : { traffic }),
    ...(grow === undefined ? {} : { grow }),
    ...(document.beside === true ? { beside: true } : {}),
    gates: canonicalGates(issues, [...at, 'gates'], document.gates),
    ...hooks('before', canonicalHooks(issues, [...at, 'before'], document.before)),
    ...hooks('after', canonicalHooks(issues, [...at, 'after'], document.after)),
  }
}

/** None is as good as not said. */
const hooks = (name: 'before' | 'after', list: readonly StageHookSpec[]): Pick<StageSpec, 'before' | 'after'> =>
  list.length === 0 ? {} : { [name]: list }

/** One share, or one that grows to another. */
function readTraffic(
  issues: IssueList,
  at: SpecPath,
  value: StageDocument['traffic'],
): Pick<StageSpec, 'traffic' | 'grow'> {
  if (value === undefined) return {}
  if (typeof value !== 'object') {
    const traffic = readPart(issues, at, value)
    return traffic === undefined ? {} : { traffic }
  }
  const { from: first = '0%', to, over } = value
  if (to === undefined || over === undefined) {
    issues.add(at, 'a share that grows says to what, and over what time', {
      suggestion: 'write one such as {from: 5%, to: 50%, over: 10m}',
    })
    return {}
  }
  const [from, traffic] = [readPart(issues, [...at, 'from'], first), readPart(issues, [...at, 'to'], to)]
  const overMs = readDuration(issues, [...at, 'over'], over, undefined, { min: 20_000, max: 86_400_000 })
  if (from === undefined || traffic === undefined || overMs === undefined) return {}
  if (from >= traffic)
    issues.add([...at, 'to'], 'a share that does not become more does not grow', {
      suggestion: 'write one share alone',
    })
  return { traffic, grow: { from, overMs } }
}

/** Thousandths; `0%` sends none there. */
const readPart = (issues: IssueList, at: SpecPath, value: Amount): number | undefined =>
  value === '0%' ? 0 : issues.take(at, parseShare(String(value)))

const isNone = (share: InstanceShare): boolean => (typeof share === 'number' ? share : share.percent) === 0

function readName(issues: IssueList, at: SpecPath, name: string | undefined): string | undefined {
  if (name === undefined) return undefined
  if (name.trim() === '') issues.add(at, 'the name is empty', { suggestion: 'leave it out' })
  else if (name.length > mostNameLength)
    issues.add(at, `the name is ${name.length} characters long: at most ${mostNameLength}`)
  else if (/\p{Cc}/u.test(name)) issues.add(at, 'the name holds a control character')
  else return name
  return undefined
}

/** undefined where nothing was written. */
function readSites(issues: IssueList, at: SpecPath, sites: StageDocument['sites']): readonly string[] | undefined {
  if (sites === undefined) return undefined
  const named = [...given(sites)]
  if (named.length === 0) issues.add(at, 'a stage at no site replaces nothing', { suggestion: 'leave it out' })
  if (named.length > mostSites) issues.add(at, `${named.length} sites are too many: at most ${mostSites}`)
  for (const [index, site] of named)
    if (!siteName.test(site))
      issues.add([...at, index], `"${site}" is no name of a site`, {
        suggestion: 'write the value of the label `site` of its nodes',
      })
  return [...new Set(named.map(([, site]) => site))]
}

/** What sites have is found out when the stage begins; and where all old ones stay, all new ones come. */
function refuseBoth(issues: IssueList, at: SpecPath, { instances, sites, entrypoints, beside }: StageDocument): void {
  if (sites !== undefined && instances !== undefined)
    issues.add([...at, 'instances'], 'a stage about sites replaces all that are there', {
      suggestion: 'leave out `instances` or `sites`',
    })
  if (beside === true && (sites !== undefined || entrypoints !== undefined))
    issues.add([...at, 'beside'], 'a stage in which all old instances stay is about all of them', {
      suggestion: 'leave out `beside`',
    })
}

function nameOf(
  instances: InstanceShare | undefined,
  sites: readonly string[] | undefined,
  entrypoints: readonly string[] | undefined,
): string {
  const parts = [...(entrypoints ?? []), ...(sites ?? [])]
  if (instances !== undefined || parts.length === 0) parts.push(sizeText(instances))
  const name = parts.join(', ')
  return name.length > mostNameLength ? `${name.slice(0, mostNameLength - 1)}…` : name
}

function sizeText(instances: InstanceShare | undefined): string {
  if (instances === undefined) return 'all'
  if (typeof instances !== 'number') return `${instances.percent}%`
  return instances === 1 ? '1 instance' : `${instances} instances`
}

/** Of two that can be compared a later stage is about more; only the last one is about all. */
function refuseBackwards(issues: IssueList, at: SpecPath, stages: readonly StageSpec[]): void {
  for (const [index, stage] of stages.entries()) {
    const { instances, beside, entrypoints } = stage
    const place = [...at, index, 'instances']
    if (isAboutAll(stage) && beside !== true && index < stages.length - 1)
      issues.add(place, 'a stage about all instances is the last one', {
        suggestion: 'write how many instances it is about, such as `instances: 25%`',
      })
    if (entrypoints !== undefined || stages[index - 1]?.entrypoints !== undefined) continue
    const before = stages[index - 1]?.instances
    if (instances === undefined || before === undefined || typeof instances !== typeof before) continue
    if (sizeOf(instances) <= sizeOf(before))
      issues.add(place, 'the stage before it is about as many instances already', {
        suggestion: 'write more than there: the numbers count all new instances, not those of one stage',
      })
  }
}

const sizeOf = (share: InstanceShare): number => (typeof share === 'number' ? share : share.percent)
