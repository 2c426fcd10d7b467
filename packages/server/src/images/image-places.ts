import {
  type AppSpec,
  defaultGroupName,
  type EntrypointSpec,
  isSystem,
  nodeGroupOf,
  type Pool,
  type Rollout,
  systemPlaces,
  wantedCount,
} from '@berth/core'
import { clusterNodes } from '../controllers/pool-view.ts'
import type { State } from '../records/index.ts'
import type { LiveBooks } from '../schedule/live-books.ts'
import { requestOf } from '../schedule/request-of.ts'

export interface PlacesFrom {
  readonly state: State
  readonly isOnline: (node: string) => boolean
  readonly books: Pick<LiveBooks, 'placesFor'>
}

/**
 * Nodes on which instances of the rollout's release will probably run: where a plan puts them, where those of before are, and where
 * there would be room now for at most `imagined` of each entrypoint. A guess: on a node that it misses the image comes with the instance, as
 * ever.
 */
export function imagePlaces(from: PlacesFrom, pool: Pool, rollout: Rollout, spec: AppSpec, imagined: number): string[] {
  const places = new Set<string>()
  for (const [name, entrypoint] of Object.entries(spec.entrypoints))
    for (const node of placesOf({ ...from, imagined }, pool, rollout, name, entrypoint)) places.add(node)
  return [...places].filter((node) => mayTake(from, node)).sort()
}

/** One that is not heard of, or that nothing new comes to, is not waited for. */
export function mayTake({ state, isOnline }: Pick<PlacesFrom, 'state' | 'isOnline'>, name: string): boolean {
  const node = state.nodes.get(name)
  return node?.schedulable === true && node.drain === undefined && isOnline(name)
}

function placesOf(
  from: PlacesFrom & { readonly imagined: number },
  pool: Pool,
  rollout: Rollout,
  name: string,
  spec: EntrypointSpec,
): string[] {
  const group = nodeGroupOf(spec, pool, rollout)
  if (spec.type === 'job') return []
  if (isSystem(spec)) return [...systemPlaces(spec, group, clusterNodes(from)).open]
  const { planned } = pool
  const slots = planned?.generation === rollout.toGeneration ? planned.slots[name] : undefined
  if (slots !== undefined) return [...slots]
  const { app, name: poolName } = pool
  const request = requestOf({ app, pool: poolName, entrypoint: name, type: 'service' }, spec, pool, rollout)
  const count = Math.min(from.imagined, wantedCount(pool, name, spec))
  const { state } = from
  const now = state.instances
    .byPool(app, poolName)
    .filter((each) => each.entrypoint === name && each.desired === 'run' && each.type === 'service')
    .flatMap(({ node }) => node ?? [])
    .filter((node) => (state.nodes.get(node)?.group ?? defaultGroupName) === group)
  return [...now, ...from.books.placesFor(request, count)]
}
