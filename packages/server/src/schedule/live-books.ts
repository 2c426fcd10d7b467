import {
  Books,
  type BooksNode,
  defaultGroup,
  defaultGroupName,
  firstFreeAddress,
  type Instance,
  type InstanceRequest,
  type NodeGroup,
  parseBlock,
  usableCount,
} from '@berth/core'
import type { State, StateChange } from '../records/index.ts'
import { bookingOfRecord, nameLabel, recordOfBooking, requestOf, requestOfRecord } from './request-of.ts'
import { specOfInstance } from './spec-of-instance.ts'

export interface LiveBooksOptions {
  readonly state: State
  readonly isOnline: (node: string) => boolean
}

export type Placed =
  | { readonly placed: true; readonly record: Partial<Instance> & { readonly node: string; readonly address: string } }
  | { readonly placed: false; readonly message: string }

interface Promised {
  readonly address: string
  readonly group: string
}

/**
 * The scheduler's books, kept true by the state's changes. A decision enters what it places at once, so that the next one sees it; when
 * its commit fails it has to `restore` what it entered.
 */
export class LiveBooks implements Disposable {
  readonly books = new Books()
  readonly #options: LiveBooksOptions
  readonly #unsubscribe: () => void
  /** What decisions under way have entered. */
  readonly #promised = new Map<string, Promised>()

  constructor(options: LiveBooksOptions) {
    this.#options = options
    const { state } = options
    this.books.putGroup(defaultGroupName, defaultGroup)
    for (const group of state.groups.values()) this.#putGroup(group)
    for (const name of state.nodes.ids()) this.#putNode(name)
    for (const instance of state.instances.values()) this.#putInstance(instance.id)
    this.#unsubscribe = state.changes.subscribe((change) => this.#onChange(change))
  }

  [Symbol.dispose](): void {
    this.#unsubscribe()
  }

  /** Its agent has come or gone. */
  touchNode(name: string): void {
    if (this.#options.state.nodes.has(name)) this.#putNode(name)
  }

  /** Finds a node and an address and enters the instance. */
  place(id: string, request: InstanceRequest): Placed {
    const quota = this.#quotaProblem(request)
    if (quota !== undefined) return { placed: false, message: quota }
    if (this.books.nodeCount === 0)
      return { placed: false, message: 'the cluster has no node yet: run `berth up` or `berth node join`' }
    const decision = this.books.place(id, request)
    if (!decision.placed) return { placed: false, message: decision.refusal.message }
    const { node } = decision.booking
    const address = this.#nextAddress(node)
    if (address === undefined) {
      this.books.release(id)
      return { placed: false, message: `no free address in the block of ${node}` }
    }
    this.#promised.set(id, { address, group: request.group ?? defaultGroupName })
    return { placed: true, record: { ...recordOfBooking(decision.booking, request), node, address } }
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
    const request = requestOf(instance, spec, pool)
    return instance.group === undefined ? request : { ...request, group: instance.group }
  }

  #onChange(change: StateChange): void {
    if (change.kind === 'nodes' || change.kind === 'nodeStatuses') {
      if (this.#options.state.nodes.has(change.id)) this.#putNode(change.id)
      else this.books.removeNode(change.id)
    } else if (change.kind === 'instances' || change.kind === 'statuses') this.#putInstance(change.id)
    else if (change.kind === 'groups' && change.after !== undefined) this.#putGroup(change.after)
  }

  #putGroup(group: NodeGroup): void {
    this.books.putGroup(group.name, group)
  }

  #putNode(name: string): void {
    const { state, isOnline } = this.#options
    const node = state.nodes.get(name)
    if (node === undefined) return
    const status = state.nodeStatuses.get(name)
    const spec: BooksNode = {
      name,
      group: node.group ?? defaultGroupName,
      labels: { ...node.labels, [nameLabel]: name },
      state: isOnline(name) ? 'online' : 'offline',
      cordoned: !node.schedulable,
      drained: node.drain !== undefined,
      taints: node.taints ?? [],
      cpuMilli: status?.cpuMilli ?? 0,
      memoryBytes: status?.memoryBytes ?? 0,
      ...(status === undefined ? {} : { diskBytes: status.diskBytes, diskFreeBytes: status.diskFreeBytes }),
      ...(status?.cores === undefined ? {} : { numa: status.cores.numa }),
      speedMilli: node.speedMilli ?? 1000,
      resources: node.resources ?? {},
      addresses: usableCount(parseBlock(node.block)),
    }
    this.books.putNode(spec)
  }

  /** Until its record is gone an instance holds its address; its cores and memory are free once it has ended. */
  #putInstance(id: string): void {
    const { state } = this.#options
    const instance = state.instances.get(id)
    const ended = state.statuses.get(id)?.phase === 'ended'
    if (instance?.node !== undefined) this.#promised.delete(id)
    if (instance?.node === undefined || ended) {
      if (!this.#promised.has(id)) this.books.release(id)
      return
    }
    this.books.claim(id, this.requestFor(instance), bookingOfRecord(instance, instance.node))
  }

  #nextAddress(node: string): string | undefined {
    const { state } = this.#options
    const record = state.nodes.get(node)
    if (record === undefined) return undefined
    const used = new Set([...this.#promised.values()].map((each) => each.address))
    for (const { address } of state.instances.byNode(node)) if (address !== undefined) used.add(address)
    return firstFreeAddress(parseBlock(record.block), used, state.fences.get(node)?.lastAddress)
  }

  #quotaProblem(request: InstanceRequest): string | undefined {
    const group = this.#options.state.groups.get(request.group ?? defaultGroupName)
    if (group?.quota === undefined) return undefined
    const { cpuMilli = Number.POSITIVE_INFINITY, memoryBytes = Number.POSITIVE_INFINITY } = group.quota
    let [cpu, memory] = [0, 0]
    for (const id of this.#idsIn(group.name)) {
      const booking = this.books.booking(id)
      cpu += booking?.reservedCpuMilli ?? 0
      memory += booking?.reservedMemoryBytes ?? 0
    }
    if (cpu + (request.cpuMilli ?? 0) > cpuMilli)
      return `the quota of group ${group.name} is ${cpuMilli / 1000} cores, ${cpu / 1000} of them are given out`
    if (memory + (request.memoryBytes ?? 0) > memoryBytes)
      return `the quota of group ${group.name} is ${gibibytes(memoryBytes)} of memory, ${gibibytes(memory)} of it are given out`
    return undefined
  }

  #idsIn(group: string): string[] {
    const promised = [...this.#promised].filter(([, each]) => each.group === group).map(([id]) => id)
    const recorded = [...this.#options.state.instances.values()].filter(
      (each) => each.node !== undefined && (each.group ?? defaultGroupName) === group,
    )
    return [...promised, ...recorded.map((each) => each.id)]
  }
}

const gibibytes = (bytes: number): string => `${Math.round((bytes / 1024 ** 3) * 100) / 100}Gi`
