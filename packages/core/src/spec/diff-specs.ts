import type { AppSpec } from '../model/app-spec.ts'
import { formatPath, type SpecPath } from './spec-issue.ts'
import { specToDocument } from './spec-to-document.ts'

/** `+` came, `-` went, `~` is different. A part that came or went as a whole is one change. */
export type SpecChange =
  | { readonly op: '+'; readonly path: string; readonly after: unknown }
  | { readonly op: '-'; readonly path: string; readonly before: unknown }
  | { readonly op: '~'; readonly path: string; readonly before: unknown; readonly after: unknown }

/** What differs, in the words of `berth.yaml` and sorted by path. Secrets are references, so no value of one can show up here. */
export function diffSpecs(before: AppSpec | undefined, after: AppSpec | undefined): SpecChange[] {
  const changes: SpecChange[] = []
  compare([], asTree(before), asTree(after), changes)
  return changes.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0))
}

/** Lists whose items have an identity are compared by it, so that one new item does not change all behind it. */
function asTree(spec: AppSpec | undefined): unknown {
  if (spec === undefined) return {}
  const document = specToDocument(spec)
  return {
    ...document,
    entrypoints: mapTree(document.entrypoints, (entrypoint) => ({
      ...entrypoint,
      secrets: keyed(entrypoint.secrets, 'file'),
      bind: keyed(entrypoint.bind, 'as'),
      volumes: keyed(entrypoint.volumes, 'path'),
    })),
    routes: keyedRoutes(document.routes),
    environments: mapTree(document.environments, (environment) =>
      environment.routes === undefined ? environment : { ...environment, routes: keyedRoutes(environment.routes) },
    ),
  }
}

type Tree = Readonly<Record<string, unknown>>

function mapTree(record: unknown, map: (value: Tree) => Tree): Tree {
  return Object.fromEntries(Object.entries(record as Tree).map(([key, value]) => [key, map(value as Tree)]))
}

const keyed = (list: unknown, key: string): Tree =>
  Object.fromEntries((list as readonly Tree[]).map(({ [key]: id, ...rest }) => [String(id), rest]))

const keyedRoutes = (list: unknown): Tree =>
  Object.fromEntries(
    (list as readonly Tree[]).map(({ host, path, tcp, udp, ...rest }) => {
      const isPort = host === undefined
      return [isPort ? (tcp === undefined ? `${udp}/udp` : `${tcp}/tcp`) : `${host}${path}`, rest]
    }),
  )

function compare(path: SpecPath, before: unknown, after: unknown, changes: SpecChange[]): void {
  if (isTree(before) && isTree(after) && !changesDefaultPort(path, before, after)) {
    for (const key of new Set([...Object.keys(before), ...Object.keys(after)]))
      compare([...path, key], before[key], after[key], changes)
  } else if (before === undefined) {
    if (!isEmpty(after)) changes.push({ op: '+', path: formatPath(path), after })
  } else if (after === undefined) {
    if (!isEmpty(before)) changes.push({ op: '-', path: formatPath(path), before })
  } else if (JSON.stringify(before) !== JSON.stringify(after)) {
    changes.push({ op: '~', path: formatPath(path), before, after })
  }
}

/** The first port is the default one, so its place is worth showing: the ports are then compared as a whole. */
function changesDefaultPort(path: SpecPath, before: Tree, after: Tree): boolean {
  if (path[0] !== 'entrypoints' || path[2] !== 'ports' || path.length !== 3) return false
  const [first, second] = [Object.keys(before)[0], Object.keys(after)[0]]
  return first !== undefined && second !== undefined && first !== second
}

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value)

const isEmpty = (value: unknown): boolean =>
  value === undefined || (typeof value === 'object' && value !== null && Object.keys(value).length === 0)
