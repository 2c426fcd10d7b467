import { forEachBit } from './bits.ts'
import { enter } from './bookkeeping.ts'
import type { NodeChooser } from './choose-node.ts'
import { pieceMilli } from './cpu-pieces.ts'
import type { BatchItem } from './instance-request.ts'
import { type NodeClass, needOn } from './node-class.ts'
import { type PackBin, type PackCores, planPacking } from './pack-plan.ts'
import type { PackClass, PackNeed, PackShape } from './pack-shapes.ts'
import type { Tables } from './tables.ts'
import { type Terms, takesAddress } from './terms.ts'

/** Plans are tried in this order until one is good enough. */
const powers = [1, 3] as const
/** Of what the opened nodes have, what is needed most is used to so much. */
const goodEnough = 0.995

/** True: nothing but CPU and memory decides where among the eligible nodes it goes. */
export function canPack(terms: Terms, item: BatchItem, tables: Tables): boolean {
  const { request, strategy } = terms
  const free = request.max === undefined && request.spread === undefined && !terms.hasWishes && terms.diskBytes === 0
  const alone = terms.apart.length + terms.near.length + terms.hostPorts.length + terms.resources.length === 0
  if (
    strategy.type !== 'pack' ||
    !free ||
    !alone ||
    item.request.unbound === true ||
    !takesAddress(terms) ||
    item.request.cpuMilli === 0
  )
    return false
  let hasEnemies = false
  tables.terms.visitEnemies(terms.entrypoint, () => {
    hasEnemies = true
  })
  return !hasEnemies
}

interface Pool {
  readonly items: readonly BatchItem[]
  readonly terms: readonly Terms[]
}

/** Places requests for which only CPU and memory count, on nodes that are used already and then on as few others as possible. Returns those that found no place. */
export function packPool(tables: Tables, chooser: NodeChooser, { items, terms }: Pool): BatchItem[] {
  const [first] = terms
  if (first === undefined) return []
  const rows = rowsInOrder(tables, chooser, first, items[0]!)
  const classes = new Map<number, number>()
  for (const row of rows)
    if (!classes.has(tables.nodes.classOf[row]!)) classes.set(tables.nodes.classOf[row]!, classes.size)
  if (classes.size === 0) return [...items]
  const nodeClasses = [...classes.keys()].map((id) => tables.nodes.classes[id]!)
  const shapes = shapesOf(items, nodeClasses)
  const bins = rows.map((row) => binOf(tables, row, classes.get(tables.nodes.classOf[row]!)!))
  const plan = bestPlan(shapes, nodeClasses.map(packClass), bins)
  const left = shapes.map(({ members }) => [...members].reverse())
  for (const [index, chosen] of plan.entries()) {
    const row = rows[index]!
    for (const shape of chosen) {
      const member = left[shape]!.pop()!
      chooser.fit.begin(terms[member]!, items[member]!.request)
      enter(tables, tables.instances.add(items[member]!.id), row, terms[member]!, chooser.fit.need(row))
    }
    if (chosen.length > 0) tables.nodes.reindex(row)
  }
  return left.flatMap((members) => members.map((member) => items[member]!))
}

/** Used ones first, the fullest before the others; then the largest. */
function rowsInOrder(tables: Tables, chooser: NodeChooser, terms: Terms, item: BatchItem): number[] {
  const { nodes } = tables
  const order: { row: number; used: boolean; key: number; turn: number }[] = []
  forEachBit(chooser.begin(terms, item.request), (position) => {
    const row = nodes.ring.rowAt[position]!
    if (nodes.isOverCommitted(row)) return
    const used = nodes.instances[row]! > 0
    const key = used ? nodes.freeness.step(position) : -nodes.classes[nodes.classOf[row]!]!.cpuMilli
    order.push({ row, used, key, turn: chooser.turnOf(position) })
  })
  order.sort((a, b) => Number(b.used) - Number(a.used) || a.key - b.key || a.turn - b.turn)
  return order.map(({ row }) => row)
}

interface MemberShape extends PackShape {
  /** Indexes of the items. */
  readonly members: number[]
}

function shapesOf(items: readonly BatchItem[], classes: readonly NodeClass[]): MemberShape[] {
  const shapes = new Map<string, MemberShape>()
  for (const [index, { request }] of items.entries()) {
    const key = `${request.cpuMilli} ${request.memoryBytes}`
    const known = shapes.get(key)
    if (known === undefined)
      shapes.set(key, { count: 1, members: [index], needs: classes.map((on) => packNeed(request, on)) })
    else {
      known.count++
      known.members.push(index)
    }
  }
  return [...shapes.values()]
}

function packNeed(request: BatchItem['request'], on: NodeClass): PackNeed {
  const need = needOn(request, on)
  const piece = pieceMilli(on.rule)
  return {
    cpu: need.cpuMilli / piece,
    memoryBytes: need.memoryBytes,
    whole: need.whole,
    fragment: need.fragmentMilli / piece,
  }
}

function packClass({ rule, cpuMilli, memoryBytes }: NodeClass): PackClass {
  const piece = pieceMilli(rule)
  const oversell = rule.cpu === 'shared' ? rule.oversellMilli / 1000 : 1
  return {
    cpu: Math.max(1, (cpuMilli * oversell) / piece),
    memoryBytes: Math.max(1, memoryBytes),
    corePieces: rule.cpu === 'bound' ? Math.floor((rule.shareBase * rule.oversellMilli) / 1000) : 0,
    wholePieces: rule.shareBase,
  }
}

function binOf({ nodes }: Tables, row: number, classIndex: number): PackBin {
  const { rule } = nodes.classes[nodes.classOf[row]!]!
  const bin = { class: classIndex, memoryBytes: nodes.memoryFree[row]!, slots: nodes.slots[row]! }
  if (rule.cpu === 'shared') return { ...bin, cpu: nodes.cpuFree[row]! }
  const cores = coresOf(nodes.cores, row, pieceMilli(rule))
  // Oversold cores hold more than they are: what fits is for the cores to say.
  const shared =
    Math.min(cores.free, cores.mayOpen) * Math.max(0, nodes.cores.limit[row]! / pieceMilli(rule) - rule.shareBase)
  const cpu = cores.free * rule.shareBase + shared + cores.rests.reduce((sum, rest) => sum + rest, 0)
  return { ...bin, cpu, cores }
}

function coresOf(ledger: Tables['nodes']['cores'], row: number, piece: number): PackCores {
  const rests: number[] = []
  for (let core = 0; core < ledger.length[row]! && ledger.shared[row]! > 0; core++) {
    const { present, owners, milli } = ledger.core(row, core)
    if (present && owners === 0 && milli > 0) rests.push(Math.max(0, Math.floor((ledger.limit[row]! - milli) / piece)))
  }
  return {
    free: ledger.free[row]!,
    keep: ledger.keep[row]! - ledger.shared[row]!,
    mayOpen: ledger.maxShared[row]! - ledger.shared[row]!,
    rests,
  }
}

function bestPlan(shapes: readonly PackShape[], classes: readonly PackClass[], bins: readonly PackBin[]): number[][] {
  const counts = shapes.map(({ count }) => count)
  let best: { plan: number[][]; left: number; opened: number } | undefined
  for (const power of powers) {
    const tried = shapes.map((shape, index) => ({ needs: shape.needs, count: counts[index]! }))
    const plan = planPacking(tried, classes, bins, { power })
    const left = tried.reduce((sum, { count }) => sum + count, 0)
    const opened = plan.reduce((sum, chosen) => sum + (chosen.length > 0 ? 1 : 0), 0)
    const isBetter = best === undefined || left < best.left || (left === best.left && opened < best.opened)
    if (isBetter) best = { plan, left, opened }
    if (left === 0 && fullness(plan, shapes, classes, bins) >= goodEnough) break
  }
  return best!.plan
}

/** Of the resource that is used most, the used share of what the filled nodes had to give. */
function fullness(
  plan: readonly (readonly number[])[],
  shapes: readonly PackShape[],
  classes: readonly PackClass[],
  bins: readonly PackBin[],
): number {
  const has = { cpu: 0, memory: 0 }
  const used = { cpu: 0, memory: 0 }
  for (const [index, chosen] of plan.entries()) {
    if (chosen.length === 0) continue
    const bin = bins[index]!
    has.cpu += bin.cpu / classes[bin.class]!.cpu
    has.memory += bin.memoryBytes / classes[bin.class]!.memoryBytes
    for (const shape of chosen) {
      used.cpu += shapes[shape]!.needs[bin.class]!.cpu / classes[bin.class]!.cpu
      used.memory += shapes[shape]!.needs[bin.class]!.memoryBytes / classes[bin.class]!.memoryBytes
    }
  }
  return Math.max(used.cpu / has.cpu, used.memory / has.memory)
}
