import type { EntrypointSpec, InstanceShare, RolloutSpec } from '../model/app-spec.ts'
import { allKeepAddresses, refuseSurge } from './canonical-address.ts'
import { closest } from './closest.ts'
import { specDefaults } from './defaults.ts'
import { isSystem } from './placement-of.ts'
import { given, readCount, readDuration } from './read-values.ts'
import type { Amount, RolloutDocument } from './spec-document.ts'
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
    before: canonicalBefore(issues, [...path, 'before'], document?.before, entrypoints),
    ...imageTimeout(issues, document),
  }
}

/** Left out where it is the default, as specs of before have it: what is the same stays the same. */
function imageTimeout(issues: IssueList, document: RolloutDocument | undefined): Pick<RolloutSpec, 'imageTimeoutMs'> {
  if (document?.imageTimeout === undefined) return {}
  const at = [...path, 'imageTimeout']
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

/** `3` instances, or `25%` of the wanted count. */
function readShare(issues: IssueList, at: SpecPath, value: Amount | undefined, fallback: InstanceShare): InstanceShare {
  if (typeof value !== 'string') return readCount(issues, at, value, fallback)
  const percent = /^(\d{1,3})%$/.exec(value)?.[1]
  if (percent !== undefined && Number(percent) <= 100) return { percent: Number(percent) }
  const suggestion = /^\d+$/.test(value)
    ? `write ${value}, without quotes`
    : 'write a number of instances, or a share like 25%'
  issues.add(at, `"${value}" is neither a number of instances nor a share of 0% to 100%`, { suggestion })
  return fallback
}

function canonicalBefore(
  issues: IssueList,
  at: SpecPath,
  before: RolloutDocument['before'],
  entrypoints: Entrypoints,
): readonly string[] {
  const names = new Set<string>()
  for (const [index, name] of given(typeof before === 'string' ? [before] : before)) {
    const place = typeof before === 'string' ? at : [...at, index]
    const entrypoint = Object.hasOwn(entrypoints, name) ? entrypoints[name] : undefined
    if (entrypoint === undefined) {
      const near = closest(name, Object.keys(entrypoints))
      const suggestion = near === undefined ? {} : { suggestion: `did you mean "${near}"?` }
      issues.add(place, `this app has no entrypoint "${name}"`, { ...suggestion, dependsOn: [['entrypoints', name]] })
    } else if (entrypoint.type !== 'job') {
      issues.add(place, `"${name}" is a service, which never ends: only a job can run before a rollout`, {
        suggestion: `write \`type: job\` in entrypoints.${name}`,
        dependsOn: [['entrypoints', name, 'type']],
      })
    }
    if (names.has(name)) issues.add(place, `"${name}" is given twice`)
    names.add(name)
  }
  return [...names]
}
