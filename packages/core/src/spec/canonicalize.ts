import type { AppSpec, EntrypointSpec } from '../model/app-spec.ts'
import { isName, nameRule, proposeName } from '../model/names.ts'
import { canonicalBuild } from './canonical-build.ts'
import { canonicalEntrypoint } from './canonical-entrypoint.ts'
import { canonicalEnvironments } from './canonical-environments.ts'
import { canonicalJobNames } from './canonical-job-names.ts'
import { refuseUnreachedBinds } from './canonical-network.ts'
import { canonicalPortRoutes, portRoutesField } from './canonical-port-routes.ts'
import { canonicalProfiles } from './canonical-profiles.ts'
import { canonicalRollout } from './canonical-rollout.ts'
import { canonicalRoutes } from './canonical-routes.ts'
import { canonicalSearchDomains } from './canonical-search-domains.ts'
import { requireKey } from './read-values.ts'
import type { SpecDocument } from './spec-document.ts'
import { IssueList, type SpecIssue, type SpecPath } from './spec-issue.ts'

export interface CanonicalizeResult {
  /** Present exactly when there are no issues. */
  readonly spec?: AppSpec
  readonly issues: readonly SpecIssue[]
}

/**
 * The canonical form of a document, or everything that is wrong with it. Documents that mean the same give deeply equal specs: units
 * are resolved, defaults filled in, and everything whose order has no meaning is sorted. Entrypoints keep the file's order, since the
 * first one with a port is the app's default.
 *
 * `broken` are the places whose value was not of the right shape and was left out; what follows from them is not reported again.
 */
export function canonicalize(document: SpecDocument, broken: readonly SpecPath[] = []): CanonicalizeResult {
  const issues = new IssueList()
  const app = readAppName(issues, document.app)
  const build = canonicalBuild(issues, document)
  const entrypoints = readEntrypoints(issues, document, app ?? '')
  if (build?.type === 'chain' && document.image === undefined) requireCommands(issues, entrypoints)
  refuseUnreachedBinds(issues, app ?? '', entrypoints)
  const rollout = canonicalRollout(issues, document.rollout, entrypoints)
  const siblings = { app: app ?? '', entrypoints: document.entrypoints ?? {} }
  const spec = {
    app,
    build,
    entrypoints,
    routes: canonicalRoutes(issues, ['routes'], document.routes, entrypoints),
    ...portRoutesField(canonicalPortRoutes(issues, ['routes'], document.routes, entrypoints)),
    rollout,
    ...canonicalTest(issues, document.test, entrypoints),
    environments: canonicalEnvironments(issues, document.environments, entrypoints, siblings, rollout),
  }
  const found = issues.independent(broken)
  if (found.length > 0 || broken.length > 0 || !isComplete(spec)) return { issues: found }
  return { spec, issues: [] }
}

/** A part that could not be read has left an issue; this says so to the type checker. */
function isComplete(spec: Omit<AppSpec, 'app' | 'build'> & { app: unknown; build: unknown }): spec is AppSpec {
  return spec.app !== undefined && spec.build !== undefined
}

/** Left out where there is none, as specs of before have it: what is the same stays the same. */
function canonicalTest(
  issues: IssueList,
  test: SpecDocument['test'],
  entrypoints: Readonly<Record<string, EntrypointSpec>>,
): Pick<AppSpec, 'test'> {
  const names = canonicalJobNames(issues, ['test'], test, entrypoints, 'test an image')
  return names.length === 0 ? {} : { test: names }
}

function readAppName(issues: IssueList, app: string | undefined): string | undefined {
  if (!requireKey(issues, [], 'app', app)) return undefined
  if (isName(app)) return app
  const proposal = proposeName(app)
  const suggestion = proposal === undefined ? {} : { suggestion: `write ${proposal}` }
  issues.add(['app'], `${JSON.stringify(app)} cannot name an app: use ${nameRule}`, suggestion)
  return undefined
}

function readEntrypoints(issues: IssueList, document: SpecDocument, app: string): Record<string, EntrypointSpec> {
  if (!requireKey(issues, [], 'entrypoints', document.entrypoints)) return {}
  const siblings = { app, entrypoints: document.entrypoints }
  const profiles = canonicalProfiles(issues, ['profiles'], document.profiles)
  const searchDomains = canonicalSearchDomains(issues, ['searchDomains'], document.searchDomains)
  const entries = Object.entries(document.entrypoints)
  if (entries.length === 0)
    issues.add(['entrypoints'], 'the app has no entrypoint: nothing would run', {
      suggestion: 'add one, such as `web: {command: node server.js, ports: [8080]}`',
    })
  return Object.fromEntries(
    entries.map(([name, entrypoint]) => [
      name,
      canonicalEntrypoint(issues, name, entrypoint ?? {}, { ...siblings, profiles, searchDomains }),
    ]),
  )
}

/** An image made by the chain has no command of its own, unlike a ready one or one of a Dockerfile. */
function requireCommands(issues: IssueList, entrypoints: Readonly<Record<string, EntrypointSpec>>): void {
  for (const [name, { command }] of Object.entries(entrypoints)) {
    if (command.length > 0) continue
    const path = ['entrypoints', name, 'command']
    issues.add(path, '`command` is missing', {
      suggestion: 'add what to run, such as `command: node server.js`: a built image has no command of its own',
      dependsOn: [path],
    })
  }
}
