import type { CoreMapView } from '@berth/api/planning-resources'

export type Core = CoreMapView['cores'][number]

/** A colour of `tokens.css`, striped where there are more apps than colours. */
export interface Paint {
  readonly hue: number
  readonly striped: boolean
}

/** Of `tokens.css`, the ones that go together best first; the grey one is for what nobody owns. */
const hues = [0, 2, 3, 1, 6, 4, 5] as const

/** `shop.production.web-3` → `shop` */
export const appOf = (instance: string): string => instance.split('.')[0] ?? instance

/** `shop.production.web-3` → `web-3` */
export const shortName = (instance: string): string => instance.split('.').at(-1) ?? instance

/** A colour for each app: as far as that goes the same on every node, and never two alike on one as long as there are others. */
export function paintApps(apps: Iterable<string>): ReadonlyMap<string, Paint> {
  const taken = new Set<string>()
  const paints = new Map<string, Paint>()
  for (const app of [...new Set(apps)].sort()) {
    const all = [false, true].flatMap((striped) =>
      hues.map((_, step) => ({ hue: hues[(hashOf(app) + step) % hues.length] ?? 0, striped })),
    )
    const paint = all.find((each) => !taken.has(classOf(each))) ?? { hue: hues[0], striped: true }
    taken.add(classOf(paint))
    paints.set(app, paint)
  }
  return paints
}

/** Of `styles/cores.css`. */
export const classOf = ({ hue, striped }: Paint): string => `paint-${hue}${striped ? ' paint-striped' : ''}`

function hashOf(text: string): number {
  let hash = 0
  for (const char of text) hash = (hash * 31 + (char.codePointAt(0) ?? 0)) % 65_521
  return hash
}

/** Cores in the order of their numbers, NUMA node by NUMA node. */
export function numaNodes(
  cores: readonly Core[],
): readonly { readonly numa: number; readonly cores: readonly Core[] }[] {
  const byNuma = new Map<number, Core[]>()
  for (const core of cores.toSorted((a, b) => a.core - b.core)) {
    const known = byNuma.get(core.numa)
    if (known === undefined) byNuma.set(core.numa, [core])
    else known.push(core)
  }
  return [...byNuma].sort(([a], [b]) => a - b).map(([numa, own]) => ({ numa, cores: own }))
}

/** How large a cell is, so that 256 of them are seen at once and one looks like something. */
export const sizeFor = (count: number): 'large' | 'medium' | 'small' =>
  count <= 24 ? 'large' : count <= 96 ? 'medium' : 'small'

export interface Part {
  /** Names it on the page: `7:0`. */
  readonly key: string
  readonly core: Core
  /** Absent: what nobody owns of it. */
  readonly instance?: string
  readonly milli: number
}

/** What a cell is divided into. What is given out twice is drawn in proportion, and is more than the core. */
export function partsOf(core: Core): readonly Part[] {
  const owned = core.owners.map(({ instance, milli }, index) => ({
    key: `${core.core}:${index}`,
    core,
    instance,
    milli,
  }))
  const free = 1000 - owned.reduce((sum, each) => sum + each.milli, 0)
  return free > 0 ? [...owned, { key: `${core.core}:free`, core, milli: free }] : owned
}

/** While an app is pointed at, what others own steps back. */
export const isDimmed = (instance: string | undefined, app: string | undefined): boolean =>
  app !== undefined && (instance === undefined || appOf(instance) !== app)

/** Every other of an app's instances, in the order of their cores. */
export function everyOther(cores: readonly Core[]): ReadonlySet<string> {
  const seen = new Map<string, string[]>()
  for (const { instance } of cores.flatMap(({ owners }) => owners)) {
    const own = seen.get(appOf(instance)) ?? []
    if (!own.includes(instance)) own.push(instance)
    seen.set(appOf(instance), own)
  }
  return new Set([...seen.values()].flatMap((own) => own.filter((_, index) => index % 2 === 1)))
}

export interface CoreSummary {
  readonly states: Readonly<Record<Core['state'], number>>
  /** Mean of the cores whose busy time is known; undefined: of none. */
  readonly busyMilli: number | undefined
  /** What each app owns, the largest first. */
  readonly apps: readonly { readonly app: string; readonly milli: number }[]
}

export function summarize(cores: readonly Core[]): CoreSummary {
  const states = { free: 0, whole: 0, shared: 0, conflict: 0 }
  const apps = new Map<string, number>()
  for (const core of cores) {
    states[core.state] += 1
    for (const { instance, milli } of core.owners) apps.set(appOf(instance), (apps.get(appOf(instance)) ?? 0) + milli)
  }
  const busy = cores.flatMap(({ busyMilli }) => (busyMilli === undefined ? [] : [busyMilli]))
  return {
    states,
    busyMilli: busy.length === 0 ? undefined : Math.round(busy.reduce((a, b) => a + b, 0) / busy.length),
    apps: [...apps]
      .map(([app, milli]) => ({ app, milli }))
      .sort((a, b) => b.milli - a.milli || (a.app < b.app ? -1 : 1)),
  }
}

/** `0–15, 64–79`, for numbers in their order. */
export function rangesOf(numbers: readonly number[]): string {
  const ranges: [first: number, last: number][] = []
  for (const each of numbers) {
    const open = ranges.at(-1)
    if (open !== undefined && open[1] + 1 === each) open[1] = each
    else ranges.push([each, each])
  }
  return ranges.map(([first, last]) => (first === last ? `${first}` : `${first}–${last}`)).join(', ')
}
