import type { BindSpec } from '../model/app-spec.ts'
import { isName } from '../model/names.ts'
import { closest } from './closest.ts'
import { checkVariableName, compareText, given, requireKey } from './read-values.ts'
import type { EntrypointDocument, Mapping } from './spec-document.ts'
import type { IssueList, SpecPath } from './spec-issue.ts'

export interface Siblings {
  readonly app: string
  /** All entrypoints of the app as they were written. */
  readonly entrypoints: Mapping<EntrypointDocument | null>
  /** Security profiles of those that name none. */
  readonly profiles?: readonly string[] | undefined
  /** Of those that say none. */
  readonly searchDomains?: readonly string[] | undefined
}

/** `db` is the app's own entrypoint, `shop/db` another app's: `DB_HOST` and `DB_PORT` are set. */
export function canonicalBind(
  issues: IssueList,
  path: SpecPath,
  list: EntrypointDocument['bind'],
  siblings: Siblings,
): readonly BindSpec[] {
  const prefixes = new Set<string>()
  const binds: BindSpec[] = []
  for (const [index, item] of given(list)) {
    const at = (key: string): SpecPath => (typeof item === 'string' ? [...path, index] : [...path, index, key])
    const { to, as } = typeof item === 'string' ? { to: item } : item
    if (as !== undefined) checkVariableName(issues, at('as'), as, false)
    if (!requireKey(issues, [...path, index], 'to', to)) continue
    const target = readTarget(issues, at('to'), to, siblings)
    if (target === undefined) continue
    const prefix = as ?? target.entrypoint.toUpperCase().replaceAll('-', '_')
    if (prefixes.has(prefix)) {
      const suggestion = `write {to: ${to}, as: ANOTHER_NAME}`
      issues.add(at('to'), `the variables ${prefix}_HOST and ${prefix}_PORT are given twice`, { suggestion })
    }
    prefixes.add(prefix)
    binds.push({ ...target, as: prefix })
  }
  return binds.sort((a, b) => compareText(a.as, b.as))
}

function readTarget(
  issues: IssueList,
  path: SpecPath,
  to: string,
  siblings: Siblings,
): Omit<BindSpec, 'as'> | undefined {
  const [first = '', second, ...rest] = to.split('/')
  const app = second === undefined ? siblings.app : first
  const entrypoint = second ?? first
  if (rest.length > 0 || !isName(app === siblings.app ? entrypoint : app) || !isName(entrypoint)) {
    const suggestion = 'write an entrypoint of this app (`db`) or of another one (`shop/db`)'
    issues.add(path, `${JSON.stringify(to)} is nothing that can be bound to`, { suggestion })
    return undefined
  }
  if (app === siblings.app) checkSibling(issues, path, entrypoint, siblings)
  return { app, entrypoint }
}

function checkSibling(issues: IssueList, path: SpecPath, name: string, { entrypoints }: Siblings): void {
  const target = Object.hasOwn(entrypoints, name) ? entrypoints[name] : undefined
  const known = Object.keys(entrypoints)
  const at = ['entrypoints', name]
  if (!known.includes(name)) {
    const near = closest(name, known)
    const suggestion =
      near === undefined ? `another app’s entrypoint is written app/entrypoint` : `did you mean "${near}"?`
    issues.add(path, `this app has no entrypoint "${name}"`, { suggestion, dependsOn: [at] })
  } else if (target?.type === 'job') {
    issues.add(path, `"${name}" is a job, which nothing can be bound to`, { dependsOn: [[...at, 'type']] })
  } else if (target?.ports === undefined) {
    const suggestion = `declare it: entrypoints.${name}.ports`
    issues.add(path, `"${name}" has no port to be bound to`, { suggestion, dependsOn: [[...at, 'ports']] })
  }
}
