import type { EntrypointOverride, EntrypointSpec, EnvironmentSpec, RolloutSpec } from '../model/app-spec.ts'
import { isName, nameRule, proposeName } from '../model/names.ts'
import { refuseBeyondLimit } from './canonical-bandwidth.ts'
import type { Siblings } from './canonical-bind.ts'
import { canonicalResources } from './canonical-container.ts'
import { readPriority, refuseReplicas } from './canonical-entrypoint.ts'
import { limitsBandwidth, refuseBandwidth } from './canonical-network.ts'
import { canonicalPlacementParts } from './canonical-placement.ts'
import { canonicalPortRoutes, portRoutesField } from './canonical-port-routes.ts'
import { canonicalRolloutParts } from './canonical-rollout.ts'
import { canonicalRoutes } from './canonical-routes.ts'
import { canonicalSchedule } from './canonical-schedule.ts'
import { closest } from './closest.ts'
import { refuseContradictions } from './placement-conflicts.ts'
import { placementOf } from './placement-of.ts'
import { readCount, readVariables, sortedRecord } from './read-values.ts'
import type { EntrypointOverrideDocument, EnvironmentDocument, SpecDocument } from './spec-document.ts'
import type { IssueList, SpecPath } from './spec-issue.ts'

type Entrypoints = Readonly<Record<string, EntrypointSpec>>

export function canonicalEnvironments(
  issues: IssueList,
  environments: SpecDocument['environments'],
  entrypoints: Entrypoints,
  siblings: Siblings,
  rollout: RolloutSpec,
): Readonly<Record<string, EnvironmentSpec>> {
  return sortedRecord(
    Object.entries(environments ?? {}).map(([name, document]) => {
      const path = ['environments', name]
      if (!isName(name)) {
        const proposal = proposeName(name)
        const suggestion = proposal === undefined ? {} : { suggestion: `write ${proposal}` }
        const message = `${JSON.stringify(name)} cannot name an environment: use ${nameRule}`
        issues.add(path, message, { ...suggestion, atKey: true })
      }
      return [name, canonicalEnvironment(issues, path, document ?? {}, { entrypoints, siblings, rollout })] as const
    }),
  )
}

function canonicalEnvironment(
  issues: IssueList,
  path: SpecPath,
  document: EnvironmentDocument,
  app: { readonly entrypoints: Entrypoints; readonly siblings: Siblings; readonly rollout: RolloutSpec },
): EnvironmentSpec {
  const { entrypoints, siblings } = app
  const overrides = Object.entries(document.entrypoints ?? {}).map(([name, written]) => {
    const at = [...path, 'entrypoints', name]
    const override = canonicalOverride(issues, at, name, written ?? {}, entrypoints)
    const scheduling = canonicalScheduling(issues, at, name, written ?? {}, { entrypoints, siblings })
    return [name, { ...override, ...scheduling }] as const
  })
  const routes =
    document.routes === undefined
      ? undefined
      : canonicalRoutes(issues, [...path, 'routes'], document.routes, entrypoints)
  return {
    env: readVariables(issues, [...path, 'env'], document.env),
    entrypoints: sortedRecord(overrides),
    ...(routes === undefined ? {} : { routes }),
    ...portRoutesField(canonicalPortRoutes(issues, [...path, 'routes'], document.routes, entrypoints)),
    ...(document.rollout === undefined
      ? {}
      : { rollout: canonicalRolloutParts(issues, [...path, 'rollout'], document.rollout, app.rollout, entrypoints) }),
  }
}

function canonicalOverride(
  issues: IssueList,
  path: SpecPath,
  name: string,
  document: EntrypointOverrideDocument,
  entrypoints: Entrypoints,
): EntrypointOverride {
  const entrypoint = Object.hasOwn(entrypoints, name) ? entrypoints[name] : undefined
  if (entrypoint === undefined) {
    const near = closest(name, Object.keys(entrypoints))
    const suggestion = near === undefined ? {} : { suggestion: `did you mean "${near}"?` }
    const message = `this app has no entrypoint "${name}"`
    issues.add(path, message, { ...suggestion, atKey: true, dependsOn: [['entrypoints', name]] })
  } else if (entrypoint.type === 'job' && document.replicas !== undefined) {
    const dependsOn = [['entrypoints', name, 'type']]
    issues.add([...path, 'replicas'], 'a job has no `replicas`', { atKey: true, dependsOn, suggestion: 'leave it out' })
  }
  const replicas = readCount(issues, [...path, 'replicas'], document.replicas, undefined)
  const resources = canonicalResources(issues, path, document)
  if (document.bandwidth !== undefined)
    refuseBeyondLimit(issues, [...path, 'bandwidth'], { ...entrypoint?.resources, ...resources })
  if (entrypoint?.network !== undefined && limitsBandwidth(resources))
    refuseBandwidth(issues, [...path, 'bandwidth'], entrypoint.network, [['entrypoints', name, 'network']])
  const env = readVariables(issues, [...path, 'env'], document.env)
  return {
    ...(replicas === undefined ? {} : { replicas }),
    ...(Object.keys(resources).length === 0 ? {} : { resources }),
    ...(Object.keys(env).length === 0 ? {} : { env }),
  }
}

/** Where it runs in this environment; what it comes to together with the entrypoint's own must not contradict itself. */
function canonicalScheduling(
  issues: IssueList,
  path: SpecPath,
  name: string,
  document: EntrypointOverrideDocument,
  { entrypoints, siblings }: { readonly entrypoints: Entrypoints; readonly siblings: Siblings },
): Pick<EntrypointOverride, 'placement' | 'priority' | 'schedule'> {
  const entrypoint = Object.hasOwn(entrypoints, name) ? entrypoints[name] : undefined
  if (entrypoint === undefined) return {}
  const { type } = entrypoint
  const at = [...path, 'placement']
  const placement = canonicalPlacementParts(issues, at, document.placement ?? {}, { type, siblings })
  const merged = { ...placementOf(entrypoint), ...placement }
  if (document.placement !== undefined)
    refuseContradictions(issues, at, merged, { app: siblings.app, entrypoint: name })
  if (merged.strategy.type === 'each') refuseReplicas(issues, path, document.replicas)
  const priority = readPriority(issues, path, document.priority, undefined)
  const schedule = readSchedule(issues, path, document.schedule, type)
  return {
    ...(Object.keys(placement).length === 0 ? {} : { placement }),
    ...(priority === undefined ? {} : { priority }),
    ...(schedule === undefined ? {} : { schedule }),
  }
}

function readSchedule(
  issues: IssueList,
  path: SpecPath,
  schedule: EntrypointOverrideDocument['schedule'],
  type: EntrypointSpec['type'],
): EntrypointOverride['schedule'] {
  if (schedule === undefined) return undefined
  const at = [...path, 'schedule']
  if (type !== 'job') issues.add(at, 'only a job has a `schedule`', { atKey: true, suggestion: 'leave it out' })
  return schedule === 'off' ? 'off' : canonicalSchedule(issues, at, schedule)
}
