import {
  hasLocalData,
  type Instance,
  isSystem,
  limitsFor,
  type Pool,
  type PreemptionBounds,
  resolveEntrypoint,
  rolloutLimits,
  wantedCount,
} from '@berth/core'
import type { State } from '../records/index.ts'
import { entrypointKey } from './request-of.ts'
import { specOfInstance } from './spec-of-instance.ts'

export interface VictimContext {
  readonly state: State
  readonly isOnline: (node: string) => boolean
  /** It is on its way already, for somebody else. */
  readonly isLeaving: (instance: string) => boolean
}

/** How many of an entrypoint may leave now. */
interface Allowance {
  /** Without anybody in their place. */
  readonly spare: number
  /** Others when their successors serve elsewhere first. */
  readonly mayMove: boolean
}

const none: Allowance = { spare: 0, mayMove: false }

/**
 * Whom one that waits may displace, beyond what priorities say: of a service no more than may be missing, or whose successors find a
 * place elsewhere; nothing of a pool that is being rolled out, nothing whose data stays on the node, nothing that belongs to its node.
 * Made for one decision.
 */
export class VictimRules {
  readonly #context: VictimContext
  readonly #allowances = new Map<string, Allowance>()

  constructor(context: VictimContext) {
    this.#context = context
  }

  /** `moving`: successors are looked for afterwards. */
  bounds(moving: boolean): PreemptionBounds {
    return {
      spare: (entrypoint) => {
        const { spare, mayMove } = this.#allowance(entrypoint)
        return moving && mayMove ? Number.POSITIVE_INFINITY : spare
      },
      keeps: (id) => this.#keeps(id),
    }
  }

  /** Of these victims those that need a successor before they leave. */
  needingSuccessors(victims: readonly string[]): string[] {
    const counts = new Map<string, number>()
    return victims.filter((id) => {
      const instance = this.#context.state.instances.get(id)
      const key = instance === undefined ? '' : entrypointKey(instance)
      const count = (counts.get(key) ?? 0) + 1
      counts.set(key, count)
      return count > this.#allowance(key).spare
    })
  }

  #keeps(id: string): boolean {
    const { state, isLeaving } = this.#context
    const instance = state.instances.get(id)
    if (instance?.desired !== 'run' || instance.pinnedTo !== undefined) return true
    if (instance.waitsFor !== undefined || isLeaving(id)) return true
    if (instance.type === 'job') return instance.rollout !== undefined
    const spec = specOfInstance(state, instance)
    return spec === undefined || hasLocalData(spec)
  }

  #allowance(key: string): Allowance {
    const known = this.#allowances.get(key)
    if (known !== undefined) return known
    const allowance = this.#reckon(key)
    this.#allowances.set(key, allowance)
    return allowance
  }

  #reckon(key: string): Allowance {
    const [app = '', name = '', entrypoint = ''] = key.split('/')
    const { state } = this.#context
    const pool = state.pools.find(app, name)
    const release = pool?.release === undefined ? undefined : state.releases.find(app, pool.release)
    const spec =
      release === undefined ? undefined : resolveEntrypoint(release.spec, pool?.environment ?? '', entrypoint)
    if (spec?.type === 'job') return { spare: Number.POSITIVE_INFINITY, mayMove: false }
    if (pool === undefined || release === undefined || spec === undefined || isSystem(spec)) return none
    if (pool.rollout !== undefined || pool.removing === true) return none
    const wanted = wantedCount(pool, entrypoint, spec)
    const { surge, unavailable } = rolloutLimits(limitsFor(release.spec.rollout, spec), wanted)
    const staying = this.#staying(pool, entrypoint)
    const ready = staying.filter((each) => this.#isReady(each)).length
    const spare = ready === 0 ? staying.length : Math.max(0, ready - Math.max(0, wanted - unavailable))
    return { spare, mayMove: surge > 0 }
  }

  #staying({ app, name, generation }: Pool, entrypoint: string): Instance[] {
    const { state, isLeaving } = this.#context
    return state.instances
      .byPool(app, name)
      .filter(
        (each) =>
          each.entrypoint === entrypoint &&
          each.type === 'service' &&
          each.desired === 'run' &&
          each.generation === generation &&
          !isLeaving(each.id),
      )
  }

  #isReady({ id, node }: Instance): boolean {
    const { state, isOnline } = this.#context
    return state.statuses.field(id, 'ready') === true && node !== undefined && isOnline(node)
  }
}
