import {
  askedSizes,
  type EntrypointSpec,
  type Instance,
  type InstanceRequest,
  ownSizes,
  type PoolSnapshot,
  placingSites,
  type Sizes,
  siteLabel,
  sizeChange,
} from '@berth/core'
import type { State } from '../records/index.ts'
import type { LiveBooks } from '../schedule/live-books.ts'
import { nameLabel, requestOf } from '../schedule/request-of.ts'
import { moveOf } from './pool-view.ts'

/** Finds places for one pool's instances, as its release and an applied plan say. What it finds is entered into the books at once. */
export class InstancePlacer {
  readonly #state: State
  readonly #snapshot: PoolSnapshot
  readonly #books: LiveBooks
  /** Why there is no room for another one of that kind. */
  readonly #refused = new Map<string, string>()
  /** Slots of an applied plan that nobody has taken, by entrypoint. */
  readonly #slots: Map<string, string[]>
  /** Of those of a kind all ask for the same. */
  readonly #requests = new Map<string, InstanceRequest>()
  /** Of a stage of the rollout under way: where its new instances go. */
  readonly #sites: readonly string[] | undefined
  #entered: string[] = []

  constructor(state: State, snapshot: PoolSnapshot, books: LiveBooks) {
    this.#state = state
    this.#snapshot = snapshot
    this.#books = books
    this.#slots = freeSlots(state, snapshot)
    this.#sites = placingSites(snapshot.rollout, snapshot.specs.get(snapshot.rollout?.to ?? ''))
  }

  /** What the books were told since the last call; to be restored when its commit fails. */
  takeEntered(): string[] {
    const entered = this.#entered
    this.#entered = []
    return entered
  }

  /** What it says may displace others. */
  mayDisplace(instance: Instance): boolean {
    return this.#requestOf(instance)?.preempt === true
  }

  /** Either with a place, or with why it has none. `displacing`: others may have to leave for it. */
  place(instance: Instance, { displacing = false }: { readonly displacing?: boolean } = {}): Instance {
    const request = this.#requestOf(instance)
    if (request === undefined)
      return { ...instance, unplaced: `release ${instance.release} has no entrypoint ${instance.entrypoint}` }
    const { slot = '', pinnedTo, movedFrom = '' } = instance
    const kind = `${instance.release}/${instance.entrypoint}/${instance.type}/${pinnedTo ?? movedFrom}/${slot}`
    const refused = this.#refused.get(kind)
    if (refused !== undefined) return { ...instance, unplaced: refused }
    const sites = this.#sitesFor(instance)
    const planned = this.#slotsFor(instance, sites)
    const target = this.#targetOf(instance)
    const wish = atSites(onNode(request, target ?? planned?.[0]), sites)
    const kept = this.#keptFor(instance)
    const found = this.#books.place(instance.id, wish, kept)
    const result = found.placed || !displacing ? found : (this.#books.displace(instance.id, wish, kept) ?? found)
    if (!result.placed) {
      // One that is being created has not asked yet for others to leave.
      if (planned === undefined && (displacing || request.preempt !== true)) this.#refused.set(kind, result.message)
      const why = planned === undefined ? result.message : `planned for ${planned[0]}: ${result.message}`
      const { displacedBy } = instance
      return { ...instance, unplaced: displacedBy === undefined ? why : `displaced by ${displacedBy}: ${why}` }
    }
    this.#take(instance, planned?.[0])
    this.#entered.push(instance.id)
    const { unplaced: _, displacedBy: __, ...rest } = instance
    const sizes = this.#ownSizes(instance)
    return { ...rest, ...(sizes === undefined ? {} : { sizes }), ...result.record }
  }

  /** The address that it has to have; undefined: whichever its node gives it. */
  #keptFor({ app, pool, entrypoint, slot }: Instance): string | undefined {
    return slot === undefined ? undefined : this.#state.keptAddresses.find({ app, pool, entrypoint, slot })?.address
  }

  /** The node that a rebalancing has chosen for it, while that lasts. */
  #targetOf({ movedFrom }: Instance): string | undefined {
    return movedFrom === undefined ? undefined : moveOf(this.#state, movedFrom)?.to
  }

  /** Undefined: its node has no room for that. */
  resize(instance: Instance, sizes: Sizes): Instance | undefined {
    const spec = this.#specOf(instance)
    if (spec === undefined) return undefined
    const change = sizeChange(askedSizes(instance, spec), sizes)
    const resized = this.#books.resize(instance, change, this.#ownSizes(instance))
    if (resized !== undefined) this.#entered.push(instance.id)
    return resized
  }

  #ownSizes({ entrypoint }: Instance): Sizes | undefined {
    return ownSizes(entrypoint, this.#snapshot.pool, this.#snapshot.rollout)
  }

  #slotsFor({ type, entrypoint, generation }: Instance, sites: readonly string[] | undefined): string[] | undefined {
    if (this.#snapshot.pool.planned?.generation !== generation || type === 'job') return undefined
    const { nodes } = this.#state
    const isThere = (node: string): boolean =>
      sites === undefined || sites.includes(nodes.get(node)?.labels[siteLabel] ?? '')
    const slots = this.#slots.get(entrypoint)?.filter(isThere)
    return slots === undefined || slots.length === 0 ? undefined : slots
  }

  /** Nobody else gets this slot of the plan. */
  #take({ entrypoint }: Instance, node: string | undefined): void {
    const slots = node === undefined ? undefined : this.#slots.get(entrypoint)
    if (node !== undefined) slots?.splice(slots.indexOf(node), 1)
  }

  #sitesFor({ type, generation, pinnedTo }: Instance): readonly string[] | undefined {
    const isNew = type === 'service' && generation === this.#snapshot.rollout?.toGeneration
    return isNew && pinnedTo === undefined ? this.#sites : undefined
  }

  #specOf({ release, entrypoint }: Instance): EntrypointSpec | undefined {
    return this.#snapshot.specs.get(release)?.entrypoints[entrypoint]
  }

  #requestOf(instance: Instance): InstanceRequest | undefined {
    const { pool, rollout } = this.#snapshot
    const spec = this.#specOf(instance)
    if (spec === undefined) return undefined
    const { release, entrypoint, type, pinnedTo } = instance
    const kind = `${release}/${entrypoint}/${type}/${pinnedTo ?? ''}`
    const request = this.#requests.get(kind) ?? requestOf(instance, spec, pool, rollout)
    this.#requests.set(kind, request)
    return request
  }
}

const onNode = (request: InstanceRequest, node: string | undefined): InstanceRequest =>
  node === undefined ? request : { ...request, where: [...(request.where ?? []), `${nameLabel} = ${node}`] }

/** Only there; undefined: anywhere. */
export const atSites = (request: InstanceRequest, sites: readonly string[] | undefined): InstanceRequest =>
  sites === undefined
    ? request
    : {
        ...request,
        where: [...(request.where ?? []), `${siteLabel} in (${sites.map((site) => `"${site}"`).join(', ')})`],
      }

function freeSlots(state: State, { pool }: PoolSnapshot): Map<string, string[]> {
  const { planned } = pool
  if (planned === undefined) return new Map()
  const taken = new Map<string, number>()
  for (const { desired, entrypoint, generation, node } of state.instances.byPool(pool.app, pool.name)) {
    if (desired !== 'run' || generation !== planned.generation || node === undefined) continue
    taken.set(`${entrypoint} ${node}`, (taken.get(`${entrypoint} ${node}`) ?? 0) + 1)
  }
  const isFree = (entrypoint: string, node: string): boolean => {
    const count = taken.get(`${entrypoint} ${node}`) ?? 0
    taken.set(`${entrypoint} ${node}`, count - 1)
    return count <= 0
  }
  return new Map(
    Object.entries(planned.slots).map(([entrypoint, nodes]) => [
      entrypoint,
      nodes.filter((node) => isFree(entrypoint, node)),
    ]),
  )
}
