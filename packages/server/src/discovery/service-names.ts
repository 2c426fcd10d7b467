import { giveServiceNames, type Nameable, namedServices, type Pool, serviceName } from '@berth/core'
import { specsOf } from '../controllers/name-tables.ts'
import { poolId, type State, type StateChange } from '../records/index.ts'

/** What services are called, by entrypoint of a pool and by external service. */
export class ServiceNames {
  readonly #state: State
  #names: ReadonlyMap<string, string> = new Map()
  #taken: ReadonlySet<string> = new Set()
  #isDirty = true

  constructor(state: State) {
    this.#state = state
  }

  /** True when names may be others now. */
  note(change: StateChange): boolean {
    if (!isAboutNames(change)) return false
    this.#isDirty = true
    return true
  }

  /** True when some are. */
  refresh(): boolean {
    if (!this.#isDirty) return false
    this.#isDirty = false
    const { pools, externals } = this.#state
    const before = this.#names
    this.#names = giveServiceNames([
      ...pools.all().flatMap((pool) => entrypointsOf(this.#state, pool)),
      // Pools come first: an external service is somebody's who knew of them.
      ...externals.all().map(({ name }) => ({
        ...{ id: externalId(name), words: [name.replaceAll('.', '-')], createdAt: Number.POSITIVE_INFINITY },
      })),
    ])
    this.#taken = new Set(this.#names.values())
    return before.size !== this.#names.size || [...this.#names].some(([id, name]) => before.get(id) !== name)
  }

  /** One that its pool is only leaving, or coming to, has a name as well. */
  ofEntrypoint({ app, name }: Pool, entrypoint: string): string {
    return this.#names.get(`${poolId(app, name)}/${entrypoint}`) ?? serviceName([app, name, entrypoint])
  }

  ofExternal(name: string): string | undefined {
    return this.#names.get(externalId(name))
  }

  /** Something of Berth's own is called so. */
  has(service: string): boolean {
    return this.#taken.has(service)
  }
}

const externalId = (name: string): string => `external/${name}`

function entrypointsOf(state: State, pool: Pool): Nameable[] {
  const { app, name, createdAt } = pool
  const entrypoints = specsOf(state, app, [name]).flatMap((spec) => namedServices(spec.entrypoints))
  return entrypoints.map((entrypoint, place) => ({
    ...{ id: `${poolId(app, name)}/${entrypoint}`, createdAt },
    words: place === 0 ? [app, name] : [app, name, entrypoint],
  }))
}

function isAboutNames(change: StateChange): boolean {
  if (change.kind === 'externals') return change.before === undefined || change.after === undefined
  if (change.kind !== 'pools') return false
  const { before, after } = change
  return before?.release !== after?.release || before?.rollout !== after?.rollout || before === undefined
}
