import type { EntrypointSpec, RolloutSpec } from '../model/app-spec.ts'
import type { InstanceShare } from '../model/instance-share.ts'
import { allKeepAddresses, refuseSurge } from './canonical-address.ts'
import { canonicalJobNames } from './canonical-job-names.ts'
import { strategyOf } from './canonical-strategy.ts'
import { closest } from './closest.ts'
import { specDefaults } from './defaults.ts'
import { keepsAddresses } from './keeps-addresses.ts'
import { isSystem } from './placement-of.ts'
import { readShare } from './read-share.ts'
import { given, readCount, readDuration } from './read-values.ts'
import type { EnvironmentRolloutDocument, RolloutDocument, StageDocument } from './spec-document.ts'
import type { IssueList, SpecPath } from './spec-issue.ts'

type Entrypoints = Readonly<Record<string, EntrypointSpec>>

const path: SpecPath = ['rollout']
/** Where there is never one more. */
const inPlace = { surge: 0, unavailable: 1 }

export function canonicalRollout(
  issues: IssueList,
  document: RolloutDocument | undefined,
  entrypoints: Entrypoints,
): RolloutSpec {
  const defaults = allKeepAddresses(entrypoints) ? { ...specDefaults.rollout, ...inPlace } : specDefaults.rollout
  const surge = readShare(issues, [...path, 'surge'], document?.surge, defaults.surge)
  const unavailable = readShare(issues, [...path, 'unavailable'], document?.unavailable, defaults.unavailable)
  if (isNothing(surge) && isNothing(unavailable)) {
    issues.add([...path, 'surge'], '`surge` and `unavailable` are both 0, so nothing could ever be replaced', {
      suggestion: 'let at least one of them be 1',
      dependsOn: [
        [...path, 'surge'],
        [...path, 'unavailable'],
      ],
    })
  } else if (defaults.surge === 0 && !isNothing(surge)) refuseSurge(issues, [...path, 'surge'], entrypoints)
  else if (isNothing(unavailable)) refuseTwoOnANode(issues, entrypoints)
  return {
    surge,
    unavailable,
    settleMs: readDuration(issues, [...path, 'settle'], document?.settle, defaults.settleMs, { max: 86_400_000 }),
    before: canonicalJobNames(issues, [...path, 'before'], document?.before, entrypoints, 'run before a rollout'),
    ...imageTimeout(issues, path, document),
    ...stages(issues, path, document, entrypoints),
    ...approvals(issues, path, document, 0),
  }
}

/** What an environment says of its own; what it does not say is as the app has it. */
export function canonicalRolloutParts(
  issues: IssueList,
  at: SpecPath,
  document: EnvironmentRolloutDocument,
  whole: RolloutSpec,
  entrypoints: Entrypoints,
): Partial<RolloutSpec> {
  const surge = readShare(issues, [...at, 'surge'], document.surge, undefined)
  const unavailable = readShare(issues, [...at, 'unavailable'], document.unavailable, undefined)
  const settleMs = readDuration(issues, [...at, 'settle'], document.settle, undefined, { max: 86_400_000 })
  if (isNothing(surge ?? whole.surge) && isNothing(unavailable ?? whole.unavailable))
    issues.add(at, '`surge` and `unavailable` come to 0 both, so nothing could ever be replaced', {
      suggestion: 'let at least one of them be 1',
      dependsOn: [[...at, 'surge'], [...at, 'unavailable'], path],
    })
  const { stages, recreate } = strategyOf(issues, at, document)
  checkNames(issues, at, document, entrypoints)
  return {
    ...(surge === undefined ? {} : { surge }),
    ...(unavailable === undefined ? {} : { unavailable }),
    ...(settleMs === undefined ? {} : { settleMs }),
    ...imageTimeout(issues, at, document),
    ...(stages === undefined ? {} : { stages }),
    ...(recreate === true ? { recreate } : {}),
    ...approvals(issues, at, document, whole.approvals ?? 0),
  }
}

/** What is as the app has it, or as nothing was said, is left out. */
function approvals(
  issues: IssueList,
  at: SpecPath,
  document: RolloutDocument | undefined,
  usual: number,
): Pick<RolloutSpec, 'approvals'> {
  const needed = readCount(issues, [...at, 'approvals'], document?.approvals, usual, { max: 10 })
  return needed === usual ? {} : { approvals: needed }
}

/** None is as good as not said. */
function stages(
  issues: IssueList,
  at: SpecPath,
  document: RolloutDocument | undefined,
  entrypoints: Entrypoints,
): Pick<RolloutSpec, 'stages' | 'recreate'> {
  const { stages: written = [], recreate } = strategyOf(issues, at, document ?? {})
  checkNames(issues, at, document, entrypoints)
  if (written.some(({ beside }) => beside === true)) refuseBeside(issues, at, entrypoints)
  return {
    ...(written.length === 0 ? {} : { stages: written }),
    ...(recreate === true ? { recreate } : {}),
  }
}

/** Those that gates and hooks of stages run, and those that stages are about. */
function checkNames(
  issues: IssueList,
  at: SpecPath,
  document: RolloutDocument | undefined,
  entrypoints: Entrypoints,
): void {
  for (const [stage, { gates, before, after, entrypoints: services }] of given(document?.stages)) {
    checkServices(issues, [...at, 'stages', stage, 'entrypoints'], services, entrypoints)
    const check = (list: 'gates' | 'before' | 'after', index: number, job: string | undefined): void => {
      if (job === undefined) return
      const what = list === 'gates' ? 'be run by a gate' : 'be run by a hook'
      canonicalJobNames(issues, [...at, 'stages', stage, list, index, 'job'], job, entrypoints, what)
    }
    for (const [index, each] of given(gates)) if (typeof each !== 'string') check('gates', index, each.job)
    for (const [index, { job }] of given(before)) check('before', index, job)
    for (const [index, { job }] of given(after)) check('after', index, job)
  }
}

/** Those that a stage is about. */
function checkServices(
  issues: IssueList,
  at: SpecPath,
  names: StageDocument['entrypoints'],
  entrypoints: Entrypoints,
): void {
  if (names !== undefined && [...given(names)].length === 0)
    issues.add(at, 'a stage about no entrypoint replaces nothing', { suggestion: 'leave it out' })
  for (const [index, name] of given(names)) {
    const entrypoint = Object.hasOwn(entrypoints, name) ? entrypoints[name] : undefined
    if (entrypoint?.type === 'service') continue
    const near = closest(name, Object.keys(entrypoints))
    const suggestion = near === undefined || near === name ? {} : { suggestion: `did you mean "${near}"?` }
    const message = entrypoint === undefined ? `this app has no entrypoint "${name}"` : `"${name}" is a job`
    issues.add([...at, index], message, { ...suggestion, dependsOn: [['entrypoints', name]] })
  }
}

/** Where there is never one more, all cannot be there twice. */
function refuseBeside(issues: IssueList, at: SpecPath, entrypoints: Entrypoints): void {
  for (const [name, entrypoint] of Object.entries(entrypoints)) {
    if (!isSystem(entrypoint) && !keepsAddresses(entrypoint)) continue
    const why = isSystem(entrypoint) ? 'runs on every node' : 'keeps its addresses'
    issues.add(at, `"${name}" ${why}, so old and new instances of it cannot be there side by side`, {
      suggestion: 'leave out `strategy: blue-green` and `beside`',
      dependsOn: [['entrypoints', name]],
    })
  }
}

/** Left out where it is the default, as specs of before have it: what is the same stays the same. */
function imageTimeout(
  issues: IssueList,
  place: SpecPath,
  document: RolloutDocument | undefined,
): Pick<RolloutSpec, 'imageTimeoutMs'> {
  if (document?.imageTimeout === undefined) return {}
  const at = [...place, 'imageTimeout']
  const fallback = specDefaults.rollout.imageTimeoutMs
  const bounds = { min: 1000, max: 86_400_000 }
  const imageTimeoutMs: number = readDuration(issues, at, document.imageTimeout, fallback, bounds)
  return imageTimeoutMs === fallback ? {} : { imageTimeoutMs }
}

/** On every node there is one, and it has the node's port: a new one finds room only where the old one has left before. */
function refuseTwoOnANode(issues: IssueList, entrypoints: Entrypoints): void {
  for (const [name, entrypoint] of Object.entries(entrypoints)) {
    if (!isSystem(entrypoint) || entrypoint.ports.every(({ hostPort }) => hostPort === undefined)) continue
    const at = ['entrypoints', name]
    issues.add(
      [...at, 'ports'],
      `"${name}" has a port of every node it runs on, so a new instance never fits beside the old one`,
      {
        suggestion: 'write `unavailable: 1` under `rollout`, so that the old one leaves first',
        dependsOn: [
          [...path, 'unavailable'],
          [...at, 'placement'],
        ],
      },
    )
  }
}

const isNothing = (share: InstanceShare): boolean => (typeof share === 'number' ? share : share.percent) === 0
