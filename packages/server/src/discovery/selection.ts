import { BerthError, type Filter, parseFilter, worstStatus } from '@berth/core'
import type { State } from '../records/index.ts'
import type { KnownEntry } from './catalog.ts'
import { isSet } from './consul-call.ts'
import { ownDatacenter, type Shapes } from './shapes.ts'

/** Which of a service's instances a call means. */
export interface Selection {
  readonly tags: readonly string[]
  readonly nodeMeta: readonly (readonly [string, string])[]
  readonly passing: boolean
  /** Absent: all. */
  readonly site?: string
  readonly filter: Filter
  /** Equal selections have the same. */
  readonly key: string
}

const everything: Filter = () => true

/** Throws `consul.no-datacenter`, `consul.invalid-filter`. */
export function selectionOf(query: URLSearchParams, state: State): Selection {
  const [tags, nodeMeta] = [query.getAll('tag').filter((each) => each !== ''), query.getAll('node-meta')]
  const [passing, expression] = [isSet(query, 'passing'), query.get('filter') ?? '']
  const site = datacenterOf(query, state)
  return {
    ...{ tags, passing, filter: filterOf(expression) },
    nodeMeta: nodeMeta.map((each) => [each.split(':')[0] ?? '', each.slice(each.indexOf(':') + 1)] as const),
    ...(site === undefined ? {} : { site }),
    key: JSON.stringify([tags, nodeMeta, passing, expression, site]),
  }
}

/** The site that is meant; undefined: all. Throws `consul.no-datacenter`. */
export function datacenterOf(query: URLSearchParams, state: State): string | undefined {
  const named = query.get('dc')
  if (named === null || named === '' || named === ownDatacenter) return undefined
  const sites = sitesOf(state)
  if (sites.includes(named)) return named
  throw new BerthError(
    'consul.no-datacenter',
    `No path to datacenter ${named.slice(0, 60)}: there are ${[ownDatacenter, ...sites].join(', ')}`,
  )
}

/** In order. */
export function sitesOf(state: State): string[] {
  const ofNodes = state.nodes.all().flatMap(({ labels }) => labels.site || [])
  const ofExternals = state.externals.all().flatMap(({ site }) => site ?? [])
  return [...new Set([...ofNodes, ...ofExternals])].filter((site) => site !== ownDatacenter).sort()
}

/** Of any answer's items. Throws `consul.invalid-filter`. */
export function filterOf(expression: string): Filter {
  if (expression.trim() === '') return everything
  const parsed = parseFilter(expression)
  if ('filter' in parsed) return parsed.filter
  throw new BerthError('consul.invalid-filter', `Failed to create filter: ${parsed.problem}`)
}

/** By everything but the filter, which is about the answer's own fields. */
export function select(entries: readonly KnownEntry[], selection: Selection, shapes: Shapes): readonly KnownEntry[] {
  const { tags, nodeMeta, passing, site } = selection
  return entries.filter((entry) => {
    if (site !== undefined && shapes.siteOf(entry) !== site) return false
    // Consul compares tags without regard to case.
    const own = tags.length === 0 ? [] : entry.tags.map((tag) => tag.toLowerCase())
    if (!tags.every((tag) => own.includes(tag.toLowerCase()))) return false
    if (nodeMeta.length > 0) {
      const { Meta } = shapes.nodeOf(entry)
      if (!nodeMeta.every(([key, value]) => Meta[key] === value)) return false
    }
    if (!passing) return true
    return worstStatus(shapes.checks(entry).map(({ Status }) => ({ status: Status }))) === 'passing'
  })
}
