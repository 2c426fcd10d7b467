import { forEachBit } from './bits.ts'
import { claimCores, instancesOn, releaseCores, reserve } from './bookkeeping.ts'
import type { NodeChooser } from './choose-node.ts'
import type { InstanceRequest } from './instance-request.ts'
import type { Tables } from './tables.ts'
import type { Terms } from './terms.ts'

export interface PreemptionBounds {
  /** At most so many instances; default 10. */
  readonly most?: number
  /** How many instances of an entrypoint may be displaced now; absent: any number. */
  readonly spare?: (entrypoint: string) => number
  /** Instances that stay, whatever they allow: those that are being displaced already, for example. */
  readonly keeps?: (instance: string) => boolean
}

/** What has to leave so that a request finds a place. */
export interface Preemption {
  readonly node: string
  /** The lowest priority first. */
  readonly victims: readonly string[]
}

interface Victim {
  readonly row: number
  readonly id: string
  readonly priority: number
  readonly entrypoint: string
  readonly cpuMilli: number
  readonly memoryBytes: number
}

interface Choice {
  readonly node: number
  readonly victims: readonly Victim[]
  readonly highest: number
  readonly cpuMilli: number
}

/**
 * The fewest instances of lower priority that allow it and whose leaving makes room; of equally few those of the lowest priorities, then
 * those with the least CPU. Only what is free is made: a node that breaks a rule (affinity, ports, limits) is not considered. Changes
 * nothing.
 */
export function findVictims(
  tables: Tables,
  chooser: NodeChooser,
  terms: Terms,
  request: InstanceRequest,
  bounds: PreemptionBounds,
): Preemption | undefined {
  const { ring, names } = tables.nodes
  let best: Choice | undefined
  forEachBit(chooser.begin(terms, request), (position) => {
    const node = ring.rowAt[position]!
    const candidates = tables.nodes.isOverCommitted(node) ? [] : candidatesOn(tables, node, terms, bounds)
    if (!couldFit(tables, chooser, node, candidates)) return
    for (const order of [lowestFirst, largestFirst]) {
      const victims = tryOut(tables, chooser, node, [...candidates].sort(order), bounds)
      if (victims === undefined) continue
      const choice = choiceOf(node, victims)
      if (best === undefined || compareChoices(choice, best) < 0) best = choice
    }
  })
  if (best === undefined) return undefined
  const victims = [...best.victims].sort(lowestFirst).map(({ id }) => id)
  return { node: names[best.node]!, victims }
}

const lowestFirst = (a: Victim, b: Victim): number =>
  a.priority - b.priority || b.cpuMilli - a.cpuMilli || compareIds(a, b)
const largestFirst = (a: Victim, b: Victim): number =>
  b.cpuMilli - a.cpuMilli || b.memoryBytes - a.memoryBytes || a.priority - b.priority || compareIds(a, b)

const compareIds = (a: Victim, b: Victim): number => (a.id < b.id ? -1 : 1)

const compareChoices = (a: Choice, b: Choice): number =>
  a.victims.length - b.victims.length || a.highest - b.highest || a.cpuMilli - b.cpuMilli

const choiceOf = (node: number, victims: readonly Victim[]): Choice => ({
  node,
  victims,
  highest: victims.reduce((most, { priority }) => Math.max(most, priority), Number.NEGATIVE_INFINITY),
  cpuMilli: victims.reduce((sum, { cpuMilli }) => sum + cpuMilli, 0),
})

function candidatesOn(tables: Tables, node: number, terms: Terms, { spare, keeps }: PreemptionBounds): Victim[] {
  const { instances } = tables
  return instancesOn(tables, node).flatMap((row): Victim[] => {
    const own = tables.terms.byId[instances.terms[row]!]!
    if (own.request.preemptible !== true || own.priority >= terms.priority) return []
    const entrypoint = own.entrypoint.key
    if ((spare !== undefined && spare(entrypoint) <= 0) || keeps?.(instances.ids[row]!) === true) return []
    const cpuMilli = instances.cpuMilli[row]!
    return [
      {
        row,
        id: instances.ids[row]!,
        priority: own.priority,
        entrypoint,
        cpuMilli,
        memoryBytes: instances.memoryBytes[row]!,
      },
    ]
  })
}

/** Without trying: are the sums enough if all of them left? */
function couldFit({ nodes }: Tables, chooser: NodeChooser, node: number, candidates: readonly Victim[]): boolean {
  if (candidates.length === 0) return false
  const need = chooser.fit.need(node)
  const memory = candidates.reduce((sum, { memoryBytes }) => sum + memoryBytes, nodes.memoryFree[node]!)
  if (memory < need.memoryBytes) return false
  if (need.bound) return true
  return candidates.reduce((sum, { cpuMilli }) => sum + cpuMilli, nodes.cpuFree[node]!) >= need.cpuMilli
}

/** Lets candidates leave in order until the request fits, then lets those stay that need not have left; undoes everything. */
function tryOut(
  tables: Tables,
  chooser: NodeChooser,
  node: number,
  order: readonly Victim[],
  { most = 10, spare }: PreemptionBounds,
): Victim[] | undefined {
  const gone: Victim[] = []
  const used = new Map<string, number>()
  for (const victim of order) {
    if (chooser.fit.admits(node)) break
    const before = used.get(victim.entrypoint) ?? 0
    if (spare !== undefined && before >= spare(victim.entrypoint)) continue
    used.set(victim.entrypoint, before + 1)
    move(tables, victim, -1)
    gone.push(victim)
  }
  const fits = chooser.fit.admits(node)
  const needed: Victim[] = []
  for (const victim of [...gone].sort((a, b) => b.priority - a.priority || a.cpuMilli - b.cpuMilli)) {
    move(tables, victim, 1)
    if (!fits || chooser.fit.admits(node)) continue
    move(tables, victim, -1)
    needed.push(victim)
  }
  for (const victim of needed) move(tables, victim, 1)
  return fits && needed.length <= most ? needed : undefined
}

/** Out of the node's sums and cores (−1), or back to exactly where it was. */
function move(tables: Tables, { row }: Victim, sign: 1 | -1): void {
  if (sign === -1) releaseCores(tables, row)
  else claimCores(tables, row)
  reserve(tables, row, sign)
}
