import { bookingOf, claim, claimCores, enter, instancesOn, leave, releaseCores, reserve } from './bookkeeping.ts'
import type { BooksNode } from './books-node.ts'
import { BooksReader } from './books-reader.ts'
import { type Capacity, capacityFor } from './capacity.ts'
import { NodeChooser } from './choose-node.ts'
import { cpuProblem, type GroupRule } from './cpu-pieces.ts'
import { explain, refusedRequest } from './explain.ts'
import type { BatchItem, BatchResult, Booking, Decision, Explanation, InstanceRequest } from './instance-request.ts'
import { placeTogether } from './place-all.ts'
import { canDeal, placeBatch } from './place-batch.ts'
import { findVictims, type Preemption, type PreemptionBounds } from './preempt.ts'
import { type NewSizes, resize, tryResize } from './resize.ts'
import { cloneTables, makeTables, type Tables, usePort } from './tables.ts'
import type { Terms } from './terms.ts'

/**
 * Nodes with what is given out on them. All decisions are made on books, and entered into them as they are made: the next one sees
 * them. The same books, request and seed give the same answer. `docs/design/scheduler.md` has the rules.
 */
export class Books extends BooksReader {
  readonly #chooser: NodeChooser

  constructor(tables: Tables = makeTables()) {
    super(tables)
    this.#chooser = new NodeChooser(tables)
  }

  /** How a group gives out CPU. What is given out on its nodes stays as it is. */
  putGroup(name: string, rule: GroupRule): void {
    const { nodes } = this.tables
    nodes.rules.set(name, rule)
    for (const [row, spec] of nodes.specs.entries())
      if (spec !== undefined && (spec.group ?? 'default') === name) this.#layOut(row, spec)
  }

  /** A node, new or changed. What is given out on it stays, whether it fits or not. */
  putNode(node: BooksNode): void {
    const { nodes, labels } = this.tables
    const row = nodes.rowOf.get(node.name) ?? nodes.addRow(node.name)
    const old = nodes.specs[row]
    if (old === undefined || sizeOf(old) !== sizeOf(node)) this.#layOut(row, node)
    else {
      nodes.specs[row] = node
      if (old.measuredCpuMilli !== node.measuredCpuMilli) {
        nodes.placedMilli[row] = 0
        nodes.placedEarlierMilli[row] = 0
        nodes.reindex(row)
      }
      this.#usePorts(row, old, -1)
      this.#usePorts(row, node, 1)
    }
    if (!sameLabels(old?.labels, node.labels)) labels.touch()
    for (const eligibility of this.tables.terms.eligibilities()) eligibility.update(row, nodes)
  }

  /** How much of a node's CPU is in use, whoever uses it; nothing of a node that the books do not have. */
  measure(name: string, cpuMilli: number): void {
    const row = this.tables.nodes.rowOf.get(name)
    if (row !== undefined) this.tables.nodes.measure(row, cpuMilli)
  }

  /** Nothing more is placed there. Its instances stay in the books until they are released. */
  removeNode(name: string): void {
    const { nodes, labels } = this.tables
    const row = nodes.rowOf.get(name)
    if (row === undefined) return
    if (nodes.instances[row] === 0) {
      this.#usePorts(row, nodes.specs[row], -1)
      nodes.layOut(row, undefined)
      nodes.dropRow(row)
      return
    }
    this.#layOut(row, undefined)
    labels.touch()
    for (const eligibility of this.tables.terms.eligibilities()) eligibility.update(row, nodes)
  }

  /** Enters what a record says, in place of what the books had of this instance. */
  claim(id: string, request: InstanceRequest, booking: Booking): void {
    this.release(id)
    const { nodes, terms } = this.tables
    const row = nodes.rowOf.get(booking.node) ?? this.#addGhost(booking.node)
    claim(this.tables, id, row, terms.of(request), booking)
  }

  /** False: the books have no such instance. */
  release(id: string): boolean {
    const row = this.tables.instances.rowOf.get(id)
    if (row === undefined) return false
    leave(this.tables, row)
    return true
  }

  /** Finds a node and enters the instance there. One that the books know already has to be released first. */
  place(id: string, request: InstanceRequest): Decision {
    const terms = this.tables.terms.of(request)
    const problem = this.#problem(request, terms)
    if (problem !== undefined) return { placed: false, refusal: refusedRequest(problem, this.nodeCount) }
    if (this.tables.instances.rowOf.has(id))
      return { placed: false, refusal: refusedRequest(`${id} has its place already: release it first`, this.nodeCount) }
    const row = this.#placeOne(id, request, terms)
    if (row < 0) return { placed: false, refusal: explain(this.tables, terms, this.#chooser.fit) }
    return { placed: true, booking: bookingOf(this.tables, row) }
  }

  /** Equal requests, in one decision: the first `placed` of `ids` have their place, the others none. */
  placeBatch(ids: readonly string[], request: InstanceRequest): BatchResult {
    const terms = this.tables.terms.of(request)
    const problem = this.#problem(request, terms)
    if (problem !== undefined) return { placed: 0, refusal: refusedRequest(problem, this.nodeCount) }
    const placed = canDeal(terms) ? this.#deal(ids, request, terms) : this.#placeInTurn(ids, request, terms)
    if (typeof placed === 'string') return { placed: 0, refusal: refusedRequest(placed, this.nodeCount) }
    if (placed === ids.length) return { placed }
    this.#chooser.begin(terms, request)
    return { placed, refusal: explain(this.tables, terms, this.#chooser.fit) }
  }

  /** Requests that are not equal, in the order that suits them together; `gang`: all or none. Decisions are in the order given. */
  placeAll(items: readonly BatchItem[], options: { readonly gang?: boolean } = {}): Decision[] {
    const known = this.#known(items.map(({ id }) => id))
    if (known !== undefined) return items.map(() => ({ placed: false, refusal: refusedRequest(known, this.nodeCount) }))
    const { terms, instances } = this.tables
    const valid = items.filter(({ request }) => this.#problem(request, terms.of(request)) === undefined)
    const refusals = new Map<string, Explanation>()
    let failed: string | undefined
    for (const { id, request } of placeTogether(this.tables, this.#chooser, valid, (item) => terms.of(item.request))) {
      if (this.#placeOne(id, request, terms.of(request)) >= 0) continue
      failed ??= id
      if (options.gang === true) break
    }
    const decisions = items.map(({ id, request }): Decision => {
      const row = instances.rowOf.get(id)
      if (row !== undefined) return { placed: true, booking: bookingOf(this.tables, row) }
      return { placed: false, refusal: this.#whyNot(request, refusals) }
    })
    const missing = items.findIndex(({ id }, index) =>
      failed === undefined ? !decisions[index]!.placed : id === failed,
    )
    if (missing < 0 || options.gang !== true) return decisions
    for (const { id } of items) this.release(id)
    return items.map(() => ({ placed: false, refusal: notAll(items[missing]!, decisions[missing]!) }))
  }

  /** Changes what an instance has on its node; it keeps the cores that it has. All or nothing. */
  resize(id: string, sizes: NewSizes): Decision {
    const row = this.tables.instances.rowOf.get(id)
    if (row === undefined) return { placed: false, refusal: refusedRequest(`${id} has no place`, this.nodeCount) }
    return resize(this.tables, row, sizes)
  }

  /** What `resize` would answer. Changes nothing. */
  tryResize(id: string, sizes: NewSizes): Decision {
    const row = this.tables.instances.rowOf.get(id)
    if (row === undefined) return { placed: false, refusal: refusedRequest(`${id} has no place`, this.nodeCount) }
    return tryResize(this.tables, row, sizes)
  }

  /** What has to leave so that a request that says `preempt` finds a place; undefined: nothing that may would be enough. */
  findVictims(request: InstanceRequest, bounds: PreemptionBounds = {}): Preemption | undefined {
    const terms = this.tables.terms.of(request)
    if (request.preempt !== true || this.#problem(request, terms) !== undefined) return undefined
    return findVictims(this.tables, this.#chooser, terms, request, bounds)
  }

  /** How many more fit, and what runs out first. */
  capacity(request: InstanceRequest): Capacity {
    const terms = this.tables.terms.of(request)
    if (this.#problem(request, terms) !== undefined) return { count: 0, nodes: 0, missing: [] }
    return capacityFor(this.tables, this.#chooser, terms, request)
  }

  /** Would a node take it? Changes nothing. */
  fits(request: InstanceRequest): boolean {
    const terms = this.tables.terms.of(request)
    return this.#problem(request, terms) === undefined && this.#chooser.choose(terms, request) >= 0
  }

  /** Why each node that will not do is refused; of a request that fits, too. */
  explain(request: InstanceRequest): Explanation {
    const terms = this.tables.terms.of(request)
    const problem = this.#problem(request, terms)
    if (problem !== undefined) return refusedRequest(problem, this.nodeCount)
    this.#chooser.begin(terms, request)
    return explain(this.tables, terms, this.#chooser.fit)
  }

  /** Books to try things out on: what happens to either is not seen by the other. */
  clone(): Books {
    return new Books(cloneTables(this.tables))
  }

  #problem(request: InstanceRequest, terms: Terms): string | undefined {
    if (terms.problem !== undefined) return terms.problem
    const { cpuMilli, memoryBytes } = request
    if (memoryBytes !== undefined && !(memoryBytes >= 0)) return `${memoryBytes} bytes are not an amount of memory`
    return cpuMilli === undefined ? undefined : cpuProblem(cpuMilli, this.tables.nodes.rule(request.group ?? ''))
  }

  /** The instance's row, or -1. */
  #placeOne(id: string, request: InstanceRequest, terms: Terms): number {
    const node = this.#chooser.choose(terms, request)
    if (node < 0) return -1
    const row = this.tables.instances.add(id)
    enter(this.tables, row, node, terms, this.#chooser.fit.need(node))
    this.tables.nodes.reindex(node)
    return row
  }

  #deal(ids: readonly string[], request: InstanceRequest, terms: Terms): number | string {
    const { instances } = this.tables
    const rows = instances.addAll(ids)
    if (typeof rows === 'string') return this.#known(ids) ?? rows
    const placed = placeBatch(this.tables, this.#chooser, terms, request, rows)
    for (let index = rows.length - 1; index >= placed; index--) instances.remove(rows[index]!)
    return placed
  }

  #placeInTurn(ids: readonly string[], request: InstanceRequest, terms: Terms): number | string {
    const known = this.#known(ids)
    if (known !== undefined) return known
    let placed = 0
    while (placed < ids.length && this.#placeOne(ids[placed]!, request, terms) >= 0) placed++
    return placed
  }

  /** Equal requests are refused for equal reasons: a large batch asks only once for each kind. */
  #whyNot(request: InstanceRequest, known: Map<string, Explanation>): Explanation {
    const terms = this.tables.terms.of(request)
    const key = `${terms.id} ${request.cpuMilli} ${request.memoryBytes} ${request.unbound}`
    const refusal = known.get(key) ?? this.explain(request)
    known.set(key, refusal)
    return refusal
  }

  #known(ids: readonly string[]): string | undefined {
    const { rowOf } = this.tables.instances
    const seen = new Set<string>()
    for (const id of ids) {
      if (rowOf.has(id)) return `${id} has its place already: release it first`
      if (seen.has(id)) return `${id} is named twice in the batch`
      seen.add(id)
    }
    return undefined
  }

  #addGhost(name: string): number {
    const row = this.tables.nodes.addRow(name)
    this.tables.nodes.layOut(row, undefined)
    return row
  }

  /** Gives everything back, lays the node out anew and claims everything again. */
  #layOut(row: number, spec: BooksNode | undefined): void {
    const { nodes } = this.tables
    const rows = instancesOn(this.tables, row)
    for (const instance of rows) {
      releaseCores(this.tables, instance)
      reserve(this.tables, instance, -1)
    }
    this.#usePorts(row, nodes.specs[row], -1)
    nodes.layOut(row, spec)
    this.#usePorts(row, spec, 1)
    for (const instance of rows) {
      claimCores(this.tables, instance)
      reserve(this.tables, instance, 1)
    }
    nodes.reindex(row)
  }

  #usePorts(row: number, spec: BooksNode | undefined, change: 1 | -1): void {
    for (const port of spec?.usedPorts ?? []) usePort(this.tables, port, row, change)
  }
}

function notAll({ id }: BatchItem, decision: Decision): Explanation {
  if (decision.placed) throw new Error('only a refusal ends a gang')
  return { ...decision.refusal, message: `not all could be placed: ${id}: ${decision.refusal.message}` }
}

/** All of a node that what is given out there is counted against. */
const sizeOf = (node: BooksNode): string =>
  JSON.stringify([
    node.group,
    node.cpuMilli,
    node.memoryBytes,
    node.diskBytes,
    node.numa,
    node.speedMilli,
    node.resources,
    node.addresses,
  ])

function sameLabels(a: BooksNode['labels'], b: BooksNode['labels']): boolean {
  const [before, after] = [Object.entries(a ?? {}), Object.entries(b ?? {})]
  return before.length === after.length && after.every(([label, value]) => a?.[label] === value)
}
