import {
  type AppSpec,
  type Instance,
  type Pool,
  type Rollout,
  type RoutedPool,
  resolvePortRoutes,
  resolveRoutes,
  resolveSpec,
  type TrafficSplit,
  trafficSplit,
  twinOf,
} from '@berth/core'
import { twinRangesOf } from '../addresses/twin-pools.ts'
import { withReachedAddress } from '../lans/lan-nodes.ts'
import { poolId, type State, type StateChange } from '../records/index.ts'
import { siteOf } from './name-tables.ts'
import { specsOf } from './pool-specs.ts'

/** The pools to which routes lead, as they are; of a change only the pools that it touches are looked at again. */
export class RoutedPools {
  readonly #state: State
  readonly #pools = new Map<string, RoutedPool>()
  readonly #dirty = new Set<string>()
  /** Of those that are up to date: where {@link hasOld} holds. */
  readonly #old = new Set<string>()

  constructor(state: State) {
    this.#state = state
    for (const id of state.pools.ids()) this.#dirty.add(id)
  }

  /** Those in which instances of an earlier generation are to run still. */
  *withOld(): Generator<string> {
    for (const id of this.#old) if (!this.#dirty.has(id)) yield id
    for (const id of this.#dirty) {
      const pool = this.#state.pools.get(id)
      if (pool !== undefined && hasOld(pool, this.#state.instances.byPool(pool.app, pool.name))) yield id
    }
  }

  /** True when routes or their members may be others now. */
  note(change: StateChange): boolean {
    const touched = this.#touched(change)
    for (const id of touched) this.#dirty.add(id)
    return touched.length > 0
  }

  /** All of them, brought up to date. */
  refresh(): RoutedPool[] {
    for (const id of this.#dirty) {
      const pool = this.#state.pools.get(id)
      const routed = pool === undefined ? undefined : routedPool(this.#state, pool)
      const instances = routed?.instances.map(({ instance }) => instance)
      if (pool !== undefined && instances !== undefined && hasOld(pool, instances)) this.#old.add(id)
      else this.#old.delete(id)
      if (routed === undefined) this.#pools.delete(id)
      else this.#pools.set(id, routed)
    }
    this.#dirty.clear()
    return [...this.#pools.values()]
  }

  #touched(change: StateChange): readonly string[] {
    if (change.kind === 'pools') return [change.id]
    if (change.kind === 'releases') {
      const app = (change.after ?? change.before)?.app
      return app === undefined ? [] : this.#state.pools.byApp(app).map((pool) => poolId(pool.app, pool.name))
    }
    if (change.kind === 'rollouts') {
      const rollout = change.before === undefined ? change.after : change.before
      const isProgress =
        change.before !== undefined && change.after !== undefined && !this.#splits(change.before, change.after)
      return rollout === undefined || isProgress ? [] : [poolId(rollout.app, rollout.pool)]
    }
    if (change.kind === 'nodes') {
      if (siteOf(change.before) === siteOf(change.after)) return []
      return this.#state.instances.byNode(change.id).flatMap((each) => this.#ofInstance(each))
    }
    if (change.kind === 'instances') return this.#ofInstance(change.after ?? change.before)
    if (change.kind !== 'statuses') return []
    const { before, after } = change
    const isSame = before?.ready === after?.ready && before?.phase === after?.phase
    if (isSame && before?.address === after?.address) return []
    const { instances } = this.#state
    const [app, pool] = [instances.field(change.id, 'app'), instances.field(change.id, 'pool')]
    return app === undefined || pool === undefined ? [] : this.#ofInstance({ app, pool })
  }

  /** Requests are shared out in another way now. */
  #splits(before: Rollout, after: Rollout): boolean {
    if (before.stages === undefined && after.stages === undefined) return false
    const [was, is] = [before, after].map((rollout) => JSON.stringify(splitOf(this.#state, rollout)))
    return was !== is
  }

  /** A pool that no route leads to has no members, whatever its instances do. */
  #ofInstance(instance: { readonly app: string; readonly pool: string } | undefined): readonly string[] {
    if (instance === undefined) return []
    const id = poolId(instance.app, instance.pool)
    return this.#pools.has(id) || this.#dirty.has(id) ? [id] : []
  }
}

function routedPool(state: State, pool: Pool): RoutedPool | undefined {
  const rollout = pool.rollout === undefined ? undefined : state.rollouts.get(pool.rollout)
  const routesFrom = pool.release ?? rollout?.to
  const spec = routesFrom === undefined ? undefined : state.releases.find(pool.app, routesFrom)?.spec
  if (spec === undefined || !hasRoutes(spec, pool.environment)) return undefined
  const hasPorts = resolvePortRoutes(spec, pool.environment).length > 0
  const twins = hasPorts ? twinRangesOf(state) : []
  const instances = state.instances.byPool(pool.app, pool.name).map((found) => {
    const [instance, status] = [withReachedAddress(state, found), state.statuses.get(found.id)]
    const site = found.node === undefined ? undefined : siteOf(state.nodes.get(found.node))
    const address6 = hasPorts && instance.network === undefined ? twinOf(twins, instance.address ?? '') : undefined
    return {
      ...{ instance, ...(status === undefined ? {} : { status }), ...(site === undefined ? {} : { site }) },
      ...(address6 === undefined ? {} : { address6 }),
    }
  })
  const routed = { pool, specs: specsOf(state, pool), routesFrom, instances }
  const split = rollout === undefined ? undefined : splitOf(state, rollout)
  return split === undefined ? routed : { ...routed, split }
}

function splitOf(state: State, rollout: Rollout): TrafficSplit | undefined {
  if (rollout.stages === undefined) return undefined
  const spec = state.releases.find(rollout.app, rollout.to)?.spec
  const environment = state.pools.find(rollout.app, rollout.pool)?.environment ?? rollout.pool
  return trafficSplit(rollout, spec === undefined ? undefined : resolveSpec(spec, environment))
}

const hasOld = ({ generation }: Pool, instances: readonly Instance[]): boolean =>
  instances.some((each) => each.type === 'service' && each.desired === 'run' && each.generation !== generation)

const hasRoutes = (spec: AppSpec, environment: string): boolean =>
  resolveRoutes(spec, environment).length > 0 || resolvePortRoutes(spec, environment).length > 0
