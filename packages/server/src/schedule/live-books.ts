import {
  type Booking,
  Books,
  type BooksNode,
  defaultGroup,
  defaultGroupName,
  firstFreeAddress,
  givingBlocks,
  type Instance,
  type InstanceRequest,
  type Lan,
  type Loan,
  type NewSizes,
  type NodeGroup,
  parseBlock,
  roomIn,
  type Sizes,
  usableCount,
  withUplink,
} from '@berth/core'
import { networksOn } from '../lans/lan-nodes.ts'
import type { StateChange } from '../records/index.ts'
import { BlockRoom } from './block-room.ts'
import { displace } from './displace.ts'
import { Displacements } from './displacements.ts'
import { GivenOut } from './given-out.ts'
import { KeptPlaces } from './kept-places.ts'
import { borrowing, Loans } from './loans.ts'
import type {
  Attempt,
  Found,
  Holder,
  LiveBooksOptions,
  Placed,
  Promised,
  PromiseOptions,
  ResizeRefusal,
} from './placed.ts'
import { quotaProblem } from './quota-problem.ts'
import {
  bookingOfRecord,
  exceptOn,
  isSameBooking,
  nameLabel,
  recordOfBooking,
  requestOf,
  requestOfRecord,
  resizedRecord,
  withPublished,
} from './request-of.ts'
import { specOfInstance } from './spec-of-instance.ts'
import { VictimRules } from './victim-rules.ts'

/** Nodes without an address left, for one decision; beyond so many there is hardly another one. */
const mostTried = 20

/** What an agent says is an average of so long, and what was placed within it is counted besides. */
const measureMs = 15_000

/**
 * The scheduler's books, kept true by the state's changes. A decision enters what it places at once, so that the next one sees it; when
 * its commit fails it has to `restore` what it entered.
 */
export class LiveBooks implements Disposable {
  readonly books = new Books()
  readonly displacements: Displacements
  readonly kept: KeptPlaces
  readonly room: BlockRoom
  readonly loans: Loans
  readonly #options: LiveBooksOptions
  readonly #unsubscribe: () => void
  /** What decisions under way have entered. */
  readonly #promised = new Map<string, Promised>()
  readonly #given = new GivenOut()
  readonly #measures = new Map<string, { readonly cpuMilli: number; readonly at: number }>()
  /** The address given out last on a node, where that is more than its fence says. */
  readonly #lastAddresses = new Map<string, string>()

  readonly #starved = new Set<(node: string) => void>()

  constructor(options: LiveBooksOptions) {
    this.#options = options
    const { state } = options
    this.displacements = new Displacements(state)
    this.kept = new KeptPlaces(state)
    this.room = new BlockRoom(state, options.addressPool)
    this.loans = new Loans({
      ...{ state, room: this.room, kept: this.kept, given: this.#given, isOnline: options.isOnline },
      lastAddress: (node) => this.#lastAddressOf(node),
    })
    this.books.putGroup(defaultGroupName, defaultGroup)
    for (const group of state.groups.values()) this.#putGroup(group)
    for (const name of state.nodes.ids()) this.#putNode(name)
    for (const instance of state.instances.values()) this.#putInstance(instance.id)
    this.#unsubscribe = state.changes.subscribe((change) => this.#onChange(change))
  }

  [Symbol.dispose](): void {
    this.#unsubscribe()
    this.displacements[Symbol.dispose]()
  }

  /** Is told of nodes on which an instance found everything but an address. Returns how to stop. */
  onStarved(listener: (node: string) => void): () => void {
    this.#starved.add(listener)
    return () => this.#starved.delete(listener)
  }

  /** Its agent has come or gone. */
  touchNode(name: string): void {
    if (this.#options.state.nodes.has(name)) this.#putNode(name)
  }

  /** How much CPU a node uses, as its agent says it now and then; kept in memory only. */
  measured(name: string, cpuMilli: number): void {
    const now = (this.#options.now ?? Date.now)()
    const last = this.#measures.get(name)
    if (last !== undefined && now - last.at < measureMs) return
    this.#measures.set(name, { cpuMilli, at: now })
    this.books.measure(name, cpuMilli)
  }

  /** Finds a node and an address and enters the instance. `kept`: the address that it has to have. */
  place(id: string, request: InstanceRequest, kept?: string): Placed {
    const quota = this.#quotaOf(request)
    if (quota !== undefined) return { placed: false, message: quota }
    if (this.books.nodeCount === 0)
      return { placed: false, message: 'the cluster has no node yet: run `berth up` or `berth node join`' }
    if (kept === undefined) {
      const found = this.#placeWithAddress(id, request, request, kept)
      return found.placed || !found.isShort ? found : this.#placeWithLoan(id, request, found.message)
    }
    const refusals: string[] = []
    for (const wish of this.#wishes(request, kept)) {
      const found = this.#placeWithAddress(id, request, wish, kept)
      if (found.placed) return found
      refusals.push(found.message)
    }
    return { placed: false, message: this.kept.explain(kept, refusals) }
  }

  /** On another node where one has room, but no address left: instances that have ended are not placed there any more, and hold theirs still. */
  #placeWithAddress(id: string, request: InstanceRequest, wish: InstanceRequest, kept: string | undefined): Attempt {
    const full: string[] = []
    for (;;) {
      const decision = this.books.place(id, exceptOn(full, wish))
      if (!decision.placed) {
        const { reasons, message } = decision.refusal
        const isShort = full.length > 0 || reasons.some(({ filter }) => filter === 'address')
        return this.#refused(full, message, isShort)
      }
      const placed = this.#promise(id, request, decision.booking, { kept, isPinned: full.length > 0 })
      if (placed !== undefined) return placed
      const { node } = decision.booking
      full.push(node)
      for (const listener of this.#starved) listener(node)
      if (full.length >= mostTried) return this.#refused(full, 'more were not tried', true)
    }
  }

  /** Who is about to get another block is waited for. */
  #refused(full: readonly string[], refusal: string, isShort: boolean): Attempt {
    const message = this.#usedUpText(full, refusal)
    return { placed: false, message, isShort: isShort && !full.some((node) => this.#moreFor(node) > 0) }
  }

  /** The last resort: on a node that has all but an address, with one of another's block. */
  #placeWithLoan(id: string, request: InstanceRequest, refusal: string): Placed {
    const problem = this.loans.problem()
    if (problem !== undefined) return { placed: false, message: `${refusal}; ${problem}` }
    const ranges = new Set(this.loans.ranges())
    while (ranges.size > 0) {
      const decision = this.books.place(id, borrowing(request, ranges))
      // Nobody who has room may borrow.
      if (!decision.placed) break
      const placed = this.#promise(id, request, decision.booking, { kept: undefined, isPinned: true, mayBorrow: true })
      if (placed !== undefined) return placed
      const { node } = decision.booking
      const pool = this.room.poolFor(this.#options.state.nodes.get(node) ?? { block: '' })
      refusal = `${refusal}; no node of the address pool ${pool?.name} has one to lend to ${node}`
      if (pool === undefined || !ranges.delete(pool.range)) break
    }
    return { placed: false, message: refusal }
  }

  #usedUpText(nodes: readonly string[], refusal: string): string {
    if (nodes.length === 0) return refusal
    const named = nodes.map((node) => (this.#moreFor(node) > 0 ? `${node}, which gets another block` : node))
    return `addresses used up on ${named.join(', ')} (instances that have ended hold theirs until they are forgotten); elsewhere: ${refusal}`
  }

  #moreFor(name: string): number {
    const node = this.#options.state.nodes.get(name)
    return node === undefined ? 0 : this.room.moreFor(node)
  }

  /**
   * Whether it would find a place on another node, so that it may be told to leave this one. One that keeps its address leaves before its
   * successor comes: others are replaced first, and need not be asked.
   */
  mayLeave(instance: Instance): boolean {
    const { slot, address, node } = instance
    if (slot === undefined || address === undefined) return true
    const elsewhere = (wish: InstanceRequest): InstanceRequest => ({
      ...wish,
      where: [...(wish.where ?? []), `${nameLabel} != ${node}`],
    })
    return this.#wishes(this.requestFor(instance), address).some((wish) => this.books.fits(elsewhere(wish)))
  }

  /** At home first, since elsewhere every node needs a route to that one address. */
  #wishes(request: InstanceRequest, kept: string | undefined): readonly InstanceRequest[] {
    if (kept === undefined) return [request]
    return this.kept.wishes(request, kept)
  }

  /** Nodes on which so many of them would find a place now, beside all that is there. Changes nothing. */
  placesFor(request: InstanceRequest, count: number): Set<string> {
    const nodes = new Set<string>()
    const imagined: string[] = []
    while (imagined.length < count) {
      const id = `imagined ${imagined.length}`
      const decision = this.books.place(id, request)
      if (!decision.placed) break
      imagined.push(id)
      nodes.add(decision.booking.node)
    }
    for (const id of imagined) this.books.release(id)
    return nodes
  }

  /**
   * Enters one for which others have to leave; `waitsFor` names them. Undefined: nobody may be displaced, or it would not be enough.
   */
  displace(id: string, request: InstanceRequest, kept?: string): Placed | undefined {
    if (request.preempt !== true || this.#quotaOf(request) !== undefined) return undefined
    for (const wish of this.#wishes(request, kept)) {
      const found = this.#displaceFor(id, wish)
      if (found === undefined) continue
      const placed = this.#promise(id, request, found.booking, { kept })
      return placed === undefined ? undefined : { ...placed, record: { ...placed.record, waitsFor: found.waitsFor } }
    }
    return undefined
  }

  #displaceFor(id: string, request: InstanceRequest): ReturnType<typeof displace> {
    const { state } = this.#options
    return displace(this.books, id, request, {
      rules: this.victimRules(),
      leaving: [...this.displacements.victims()],
      requestOf: (each) => {
        const instance = state.instances.get(each)
        return instance === undefined ? undefined : this.requestFor(instance)
      },
      restore: (each) => this.#putInstance(each),
    })
  }

  /** `planned`: others that are imagined to leave. */
  victimRules(planned?: ReadonlySet<string>): VictimRules {
    const isLeaving = (id: string): boolean =>
      planned?.has(id) === true || this.displacements.displacerOf(id) !== undefined
    return new VictimRules({ ...this.#options, isLeaving })
  }

  /** Undefined, and nothing is entered: its node has no address for it. */
  #promise(
    id: string,
    request: InstanceRequest,
    booking: Booking,
    { kept, isPinned = false, mayBorrow = false }: PromiseOptions,
  ): Found | undefined {
    const { node } = booking
    const own = kept ?? this.#addressFor(node, request)
    const loan = own === undefined && mayBorrow ? this.#loanFor(node) : undefined
    const address = own ?? loan?.address
    if (address === undefined) {
      this.books.release(id)
      return undefined
    }
    this.#promised.set(id, { request, address, isPinned: isPinned || kept !== undefined })
    if (request.network === undefined && kept === undefined) this.#lastAddresses.set(loan?.lender ?? node, address)
    const borrowed = loan === undefined ? {} : { borrowedFrom: loan.lender }
    this.#note(id, { node, address, group: request.group ?? defaultGroupName, ...borrowed })
    return { placed: true, record: { ...recordOfBooking(booking, request), node, address, ...borrowed } }
  }

  #loanFor(node: string): Loan | undefined {
    const record = this.#options.state.nodes.get(node)
    return record === undefined ? undefined : this.loans.find(record)
  }

  /** Why its node cannot give an instance that; undefined: it can. Changes nothing. */
  resizeRefusal(instance: Instance, change: NewSizes): ResizeRefusal | undefined {
    const before = this.books.booking(instance.id)
    const decision = this.books.tryResize(instance.id, change)
    if (before === undefined || !decision.placed)
      return { reason: 'room', message: decision.placed ? 'it has no place' : decision.refusal.message }
    const { reservedCpuMilli, reservedMemoryBytes } = decision.booking
    const message = this.#quotaProblem(instance.group ?? defaultGroupName, {
      cpuMilli: Math.max(0, reservedCpuMilli - before.reservedCpuMilli),
      memoryBytes: Math.max(0, reservedMemoryBytes - before.reservedMemoryBytes),
    })
    return message === undefined ? undefined : { reason: 'quota', message }
  }

  /** Enters new sizes of an instance where it is; undefined: there is no room. `sizes` is what its record says of them from then on. */
  resize(instance: Instance, change: NewSizes, sizes: Sizes | undefined): Instance | undefined {
    const before = this.books.booking(instance.id)
    if (before === undefined || this.resizeRefusal(instance, change) !== undefined) return undefined
    const decision = this.books.resize(instance.id, change)
    if (!decision.placed) return undefined
    // What the books hold may still be more than the record says.
    const { reservedMemoryBytes = 0 } = change.memoryBytes === undefined ? instance : decision.booking
    const booking = { ...decision.booking, reservedMemoryBytes }
    const resized = resizedRecord(instance, booking, sizes, before.reservedMemoryBytes)
    const status = this.#options.state.statuses.get(instance.id)
    this.books.claim(instance.id, this.requestFor(instance), bookingOfRecord(resized, before.node, status))
    this.#note(instance.id, resized)
    return resized
  }

  /** What was entered for these is forgotten: the books hold again what the records say. */
  restore(ids: Iterable<string>): void {
    for (const id of ids) {
      this.#promised.delete(id)
      this.#putInstance(id)
    }
  }

  requestFor(instance: Instance): InstanceRequest {
    const { state } = this.#options
    const spec = specOfInstance(state, instance)
    const pool = state.pools.find(instance.app, instance.pool)
    if (spec === undefined || pool === undefined) return requestOfRecord(instance)
    const request = withPublished(requestOf(instance, spec, pool), instance)
    return instance.group === undefined ? request : { ...request, group: instance.group }
  }

  #onChange(change: StateChange): void {
    if (this.room.note(change)) for (const node of this.#options.state.nodes.ids()) this.touchNode(node)
    if (this.kept.note(change)) for (const node of this.kept.changedNodes()) this.touchNode(node)
    if (change.kind === 'nodes' || change.kind === 'nodeStatuses') {
      if (this.#options.state.nodes.has(change.id)) this.#putNode(change.id)
      else this.#removeNode(change.id)
    } else if (change.kind === 'instances') {
      if (this.#isAsPromised(change.id, change.after)) this.#promised.delete(change.id)
      else this.#putInstance(change.id)
    } else if (change.kind === 'statuses') {
      // Whatever else is said of it, it holds the same.
      const isEnd = (change.before?.phase === 'ended') !== (change.after?.phase === 'ended')
      const isLowered = change.before?.granted?.memoryBytes !== change.after?.granted?.memoryBytes
      if (isEnd || isLowered) this.#putInstance(change.id)
    } else if (change.kind === 'fences') this.#lastAddresses.delete(change.id)
    else if (change.kind === 'lans') this.#onLan(change.before, change.after)
    else if (change.kind === 'groups' && change.after !== undefined) this.#putGroup(change.after)
  }

  /** Nodes that have it count as having it, and no others; where there is none any more, whoever has a Docker network of that name. */
  #onLan(before: Lan | undefined, after: Lan | undefined): void {
    const names = Object.keys({ ...before?.slices, ...after?.slices })
    const isOne = before !== undefined && after !== undefined
    for (const name of isOne ? names : this.#options.state.nodes.ids()) this.touchNode(name)
  }

  #removeNode(name: string): void {
    this.books.removeNode(name)
    this.#measures.delete(name)
    this.#lastAddresses.delete(name)
  }

  #putGroup(group: NodeGroup): void {
    this.books.putGroup(group.name, group)
  }

  #putNode(name: string): void {
    const { state, isOnline } = this.#options
    const node = state.nodes.get(name)
    if (node === undefined) return
    const status = state.nodeStatuses.get(name)
    const measured = this.#measures.get(name)
    const spec: BooksNode = {
      name,
      group: node.group ?? defaultGroupName,
      labels: { ...node.labels, [nameLabel]: name, ...this.kept.labelsOf(name) },
      state: isOnline(name) ? 'online' : 'offline',
      cordoned: !node.schedulable,
      drained: node.drain !== undefined,
      taints: node.taints ?? [],
      cpuMilli: status?.cpuMilli ?? 0,
      memoryBytes: status?.memoryBytes ?? 0,
      ...(status === undefined ? {} : { diskBytes: status.diskBytes, diskFreeBytes: status.diskFreeBytes }),
      ...(status?.cores === undefined ? {} : { numa: status.cores.numa }),
      speedMilli: node.speedMilli ?? 1000,
      resources: withUplink(node, status?.uplink),
      addresses: Math.max(0, this.room.addressesOf(node) + this.kept.moreOn(name)),
      ...(status?.dockerNetworks === undefined ? {} : { networks: networksOn(state, name, status.dockerNetworks) }),
      ...(measured === undefined ? {} : { measuredCpuMilli: measured.cpuMilli }),
    }
    this.books.putNode(spec)
  }

  /** Its record says what was entered when its place was found, as it does with nearly all: then there is nothing to enter. */
  #isAsPromised(id: string, instance: Instance | undefined): boolean {
    const promised = this.#promised.get(id)
    const held = promised === undefined ? undefined : this.books.booking(id)
    if (promised === undefined || held === undefined || instance?.node === undefined) return false
    const { request, address, isPinned: isElsewhere } = promised
    // Perhaps a node was chosen for it that its own terms do not name.
    const isPinned = isElsewhere || request.where?.some((text) => text.startsWith(nameLabel)) === true
    const group = request.group ?? defaultGroupName
    if (isPinned || instance.address !== address || (instance.group ?? defaultGroupName) !== group) return false
    return isSameBooking(held, bookingOfRecord(instance, instance.node))
  }

  /** Until its record is gone an instance holds its address; its cores and memory are free once it has ended. */
  #putInstance(id: string): void {
    const { state } = this.#options
    const instance = state.instances.get(id)
    const ended = state.statuses.field(id, 'phase') === 'ended'
    if (instance?.node === undefined) {
      if (this.#promised.has(id)) return
      this.books.release(id)
      this.#given.set(id, undefined)
      this.loans.set(id, undefined)
      return
    }
    this.#promised.delete(id)
    if (ended) this.books.release(id)
    else {
      const booking = bookingOfRecord(instance, instance.node, state.statuses.get(id))
      this.books.claim(id, this.requestFor(instance), booking)
    }
    this.#note(id, instance)
  }

  #note(id: string, { node, address, group = defaultGroupName, borrowedFrom }: Holder): void {
    const booking = this.books.booking(id)
    const room = { group, cpuMilli: booking?.reservedCpuMilli ?? 0, memoryBytes: booking?.reservedMemoryBytes ?? 0 }
    this.loans.set(id, borrowedFrom === undefined ? undefined : address)
    if (node !== undefined) this.#given.set(id, { node, address, ...(booking === undefined ? {} : { room }) })
  }

  #addressFor(node: string, { network }: InstanceRequest): string | undefined {
    return network === undefined ? this.#nextAddress(node) : this.#options.state.nodes.get(node)?.address
  }

  /** Goes round from the one given out last, so that it is found at once. */
  #nextAddress(node: string): string | undefined {
    const { state } = this.#options
    const record = state.nodes.get(node)
    if (record === undefined) return undefined
    const last = this.#lastAddressOf(node)
    const isUsed = (address: string): boolean =>
      this.#given.isUsed(node, address) || state.keptAddresses.has(address) || this.loans.isLent(address)
    const { network } = state.nodeStatuses.get(node) ?? {}
    for (const text of givingBlocks(record, network)) {
      const block = parseBlock(text)
      // On a routed node containers that are started by hand have some of the first.
      const kept = usableCount(block) - roomIn(record, text, network)
      const address = firstFreeAddress(block, isUsed, last, kept)
      if (address !== undefined) return address
    }
    return undefined
  }

  #lastAddressOf(node: string): string | undefined {
    return this.#lastAddresses.get(node) ?? this.#options.state.fences.get(node)?.lastAddress
  }

  #quotaOf({ group, cpuMilli = 0, memoryBytes = 0 }: InstanceRequest): string | undefined {
    return this.#quotaProblem(group ?? defaultGroupName, { cpuMilli, memoryBytes })
  }

  #quotaProblem(groupName: string, more: Required<Pick<Sizes, 'cpuMilli' | 'memoryBytes'>>): string | undefined {
    const group = this.#options.state.groups.get(groupName)
    return group === undefined ? undefined : quotaProblem(group, this.#given.inGroup(group.name), more)
  }
}
