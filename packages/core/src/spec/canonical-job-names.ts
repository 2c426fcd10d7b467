import type { EntrypointSpec } from '../model/app-spec.ts'
import { closest } from './closest.ts'
import { given } from './read-values.ts'
import type { Texts } from './spec-document.ts'
import type { IssueList, SpecPath } from './spec-issue.ts'

/** Jobs of the app by name, in the order in which they run; `purpose` is what only a job can do. */
export function canonicalJobNames(
  issues: IssueList,
  at: SpecPath,
  written: string | Texts | undefined,
  entrypoints: Readonly<Record<string, EntrypointSpec>>,
  purpose: string,
): readonly string[] {
  const names = new Set<string>()
  for (const [index, name] of given(typeof written === 'string' ? [written] : written)) {
    const place = typeof written === 'string' ? at : [...at, index]
    const entrypoint = Object.hasOwn(entrypoints, name) ? entrypoints[name] : undefined
    if (entrypoint === undefined) {
      const near = closest(name, Object.keys(entrypoints))
      const suggestion = near === undefined ? {} : { suggestion: `did you mean "${near}"?` }
      issues.add(place, `this app has no entrypoint "${name}"`, { ...suggestion, dependsOn: [['entrypoints', name]] })
    } else if (entrypoint.type !== 'job') {
      issues.add(place, `"${name}" is a service, which never ends: only a job can ${purpose}`, {
        suggestion: `write \`type: job\` in entrypoints.${name}`,
        dependsOn: [['entrypoints', name, 'type']],
      })
    }
    if (names.has(name)) issues.add(place, `"${name}" is given twice`)
    names.add(name)
  }
  return [...names]
}
