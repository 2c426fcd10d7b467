import type { RoutingSessionsView } from '@berth/api/routing-resources'

export interface SessionEnd {
  /** The node that tells it. */
  readonly node: string
  readonly up: boolean
  readonly since: number
  readonly why?: string | undefined
  readonly learned: number
}

/** A session of BGP, with what is told of it by one end or by both. */
export interface SessionPair {
  readonly key: string
  readonly between: readonly [string, string]
  /** The second is a router, and none of the nodes. */
  readonly isRouter: boolean
  readonly up: boolean
  readonly ends: readonly SessionEnd[]
}

/** Those that are down first, then by names. One is up where everybody who tells of it says so. */
export function sessionPairs(nodes: RoutingSessionsView['nodes']): SessionPair[] {
  const pairs = new Map<string, SessionPair>()
  for (const { node, sessions } of nodes)
    for (const { with: kind, name, up, since, why, learned } of sessions) {
      const isRouter = kind === 'peer'
      const between: readonly [string, string] = isRouter || node < name ? [node, name] : [name, node]
      const key = [kind, ...between].join(' ')
      const before = pairs.get(key)
      const ends = [...(before?.ends ?? []), { node, up, since, why, learned }]
      pairs.set(key, { key, between, isRouter, up: up && before?.up !== false, ends })
    }
  return [...pairs.values()].toSorted((a, b) => Number(a.up) - Number(b.up) || compare(a.between, b.between))
}

const compare = (a: readonly [string, string], b: readonly [string, string]): number =>
  a[0].localeCompare(b[0], 'en', { numeric: true }) || a[1].localeCompare(b[1], 'en', { numeric: true })
