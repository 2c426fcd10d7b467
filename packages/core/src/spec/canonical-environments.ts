import type { EntrypointOverride, EntrypointSpec, EnvironmentSpec } from '../model/app-spec.ts'
import { isName, nameRule, proposeName } from '../model/names.ts'
import { canonicalResources } from './canonical-container.ts'
import { canonicalRoutes } from './canonical-routes.ts'
import { closest } from './closest.ts'
import { readCount, readVariables, sortedRecord } from './read-values.ts'
import type { EntrypointOverrideDocument, EnvironmentDocument, SpecDocument } from './spec-document.ts'
import type { IssueList, SpecPath } from './spec-issue.ts'

type Entrypoints = Readonly<Record<string, EntrypointSpec>>

export function canonicalEnvironments(
  issues: IssueList,
  environments: SpecDocument['environments'],
  entrypoints: Entrypoints,
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
      return [name, canonicalEnvironment(issues, path, document ?? {}, entrypoints)] as const
    }),
  )
}

function canonicalEnvironment(
  issues: IssueList,
  path: SpecPath,
  document: EnvironmentDocument,
  entrypoints: Entrypoints,
): EnvironmentSpec {
  const overrides = Object.entries(document.entrypoints ?? {}).map(
    ([name, override]) =>
      [name, canonicalOverride(issues, [...path, 'entrypoints', name], name, override ?? {}, entrypoints)] as const,
  )
  const routes =
    document.routes === undefined
      ? undefined
      : canonicalRoutes(issues, [...path, 'routes'], document.routes, entrypoints)
  return {
    env: readVariables(issues, [...path, 'env'], document.env),
    entrypoints: sortedRecord(overrides),
    ...(routes === undefined ? {} : { routes }),
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
  const env = readVariables(issues, [...path, 'env'], document.env)
  return {
    ...(replicas === undefined ? {} : { replicas }),
    ...(Object.keys(resources).length === 0 ? {} : { resources }),
    ...(Object.keys(env).length === 0 ? {} : { env }),
  }
}
