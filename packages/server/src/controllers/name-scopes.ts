import type { AppSpec, Instance, NamedApp, NameEntry, NameTable } from '@berth/core'
import type { State } from '../records/index.ts'
import { type NameTables, namedApp, siteOf, specsOf } from './name-tables.ts'

/** Of one entrypoint of a pool: more than an answer of the DNS holds. */
const entriesPerService = 32

/**
 * What single nodes know of names in a cluster that is too large for everybody to know everything: those of the apps that run on a node
 * and of what these bind, as far as they listen on ports, and of a large service some of its instances, other ones than its neighbours know.
 */
export class NameScopes {
  readonly #state: State
  readonly #tables: NameTables
  readonly #defaultPool: string

  constructor(state: State, tables: NameTables, defaultPool: string) {
    this.#state = state
    this.#tables = tables
    this.#defaultPool = defaultPool
  }

  tableFor(node: string): NameTable {
    const apps = [...this.#appsFor(node)].flatMap((name) => this.#listening(name) ?? [])
    apps.sort((a, b) => (a.app < b.app ? -1 : 1))
    const entries = apps.flatMap(({ app, pools }) =>
      pools.flatMap((pool) => someOf(this.#tables.entriesOf(app, pool), node, siteOf(this.#state.nodes.get(node)))),
    )
    return { version: this.#tables.version, entries, apps, ...this.#tables.others() }
  }

  /** Of these apps, those that anybody could look for. */
  listening(apps: Iterable<string>): Set<string> {
    return new Set([...apps].filter((app) => !this.#state.apps.has(app) || this.#listening(app) !== undefined))
  }

  /** Something there may look for one of them. */
  concerns(node: string, apps: ReadonlySet<string>): boolean {
    if (apps.size === 0) return false
    for (const app of this.#appsFor(node)) if (apps.has(app)) return true
    return false
  }

  /** Its node has to know names for its sake. */
  matters(instance: Instance): boolean {
    return this.#bindsOf(instance).length > 0 || this.#listening(instance.app) !== undefined
  }

  /** Those that run there, what they bind, and what everybody may look for. */
  #appsFor(node: string): Set<string> {
    const seen = new Set<string>()
    // Own domains lead everybody there.
    const apps = new Set((this.#tables.others().domains ?? []).flatMap(({ target }) => target?.split('.').at(-1) ?? []))
    for (const instance of this.#state.instances.byNode(node)) {
      const key = `${instance.app}/${instance.release}/${instance.entrypoint}`
      if (seen.has(key)) continue
      seen.add(key)
      apps.add(instance.app)
      for (const each of this.#bindsOf(instance)) apps.add(each.app)
    }
    return apps
  }

  #bindsOf({ app, release, entrypoint }: Instance): AppSpec['entrypoints'][string]['bind'] {
    return this.#state.releases.find(app, release)?.spec.entrypoints[entrypoint]?.bind ?? []
  }

  /** Undefined for an app that listens nowhere. */
  #listening(name: string): NamedApp | undefined {
    if (!this.#state.apps.has(name)) return undefined
    const pools = this.#state.pools.byApp(name).map((pool) => pool.name)
    const specs = specsOf(this.#state, name, pools)
    if (!specs.some(listens)) return undefined
    const app = namedApp(this.#state, name, this.#defaultPool)
    const hasPort = (entrypoint: string): boolean =>
      specs.some((spec) => (spec.entrypoints[entrypoint]?.ports.length ?? 0) > 0)
    const entrypoints = app.entrypoints.filter(hasPort)
    return entrypoints.length === 0 ? undefined : { ...app, entrypoints }
  }
}

const listening = new WeakMap<AppSpec, boolean>()

/** Something in it has a port; specs do not change. */
function listens(spec: AppSpec): boolean {
  const known = listening.get(spec)
  if (known !== undefined) return known
  const found = Object.values(spec.entrypoints).some((each) => each.ports.length > 0)
  listening.set(spec, found)
  return found
}

/** Of each service as many as a node needs, those of its site before others, beginning at a place that differs from node to node. */
function someOf(entries: readonly NameEntry[], node: string, site: string | undefined): NameEntry[] {
  const services = Map.groupBy(
    entries.filter((each) => each.ports.length > 0),
    (each) => each.entrypoint,
  )
  return [...services.values()].flatMap((all) => {
    if (all.length <= entriesPerService) return all
    const from = placeOf(node) % all.length
    const turned = [...all.slice(from), ...all.slice(0, from)]
    const isNear = (each: NameEntry): boolean => site !== undefined && each.site === site
    return [...turned.filter(isNear), ...turned.filter((each) => !isNear(each))].slice(0, entriesPerService)
  })
}

/** FNV-1a: spread over 32 bits. */
function placeOf(text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  return hash >>> 0
}
