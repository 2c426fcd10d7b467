import type { BooksNode } from './books-node.ts'
import { hashText } from './hash-text.ts'
import type { Booking, InstanceRequest, Peer } from './instance-request.ts'
import { meets, parseRequirement } from './requirement.ts'

interface Placed {
  readonly request: InstanceRequest
  readonly booking: Booking
}

/**
 * The scheduler's rules as they are written, for shared groups: every node is looked at with every rule, nothing is remembered. What
 * the books decide has to be the same.
 */
export class NaiveBooks {
  readonly nodes = new Map<string, BooksNode>()
  readonly placed = new Map<string, Placed>()

  choose(request: InstanceRequest): string | undefined {
    let candidates = [...this.nodes.values()].filter((node) => this.#admits(node, request))
    const { spread } = request
    if (spread !== undefined) {
      const order = this.#valueOrder(request)
      const value = order.find((each) => candidates.some((node) => node.labels?.[spread.over] === each))
      candidates = candidates.filter((node) => node.labels?.[spread.over] === value)
    }
    const ranks = candidates.map((node) => ({ node, keys: this.#keys(node, request) }))
    ranks.sort((a, b) => compareKeys(a.keys, b.keys))
    return ranks[0]?.node.name
  }

  #admits(node: BooksNode, request: InstanceRequest): boolean {
    const here = this.#on((each) => each === node)
    const used = sums(here)
    const isFree =
      node.cpuMilli - used.cpuMilli >= (request.cpuMilli ?? 0) &&
      node.memoryBytes - used.memoryBytes >= (request.memoryBytes ?? 0) &&
      addressesLeft(node, here, request) > 0
    const isStatic =
      node.state !== 'offline' &&
      (request.where ?? []).every((text) => holds(text, node)) &&
      (node.taints ?? []).every((taint) => (request.tolerate ?? []).some(({ key }) => key === taint.key))
    const ports = here.flatMap((each) => each.request.hostPorts ?? [])
    return (
      isFree &&
      isStatic &&
      !(request.hostPorts ?? []).some((port) => ports.includes(port)) &&
      this.#obeys(node, request)
    )
  }

  #obeys(node: BooksNode, request: InstanceRequest): boolean {
    const around = (over: string | undefined): Placed[] =>
      this.#on((each) =>
        over === undefined
          ? each === node
          : each.labels?.[over] !== undefined && each.labels[over] === node.labels?.[over],
      )
    const hard = (peers: readonly Peer[] = []): Peer[] => peers.filter(({ weight }) => weight === undefined)
    const own = (each: Placed): boolean => each.request.entrypoint === request.entrypoint
    const all = [...this.placed.values()]
    const apart = hard(request.apart).every((peer) => !around(peer.over).some((each) => is(peer, each.request)))
    // The rule of another holds for all instances of that entrypoint, as long as one of them has it.
    const enemies = all.flatMap((each) =>
      hard(each.request.apart)
        .filter((peer) => is(peer, request))
        .map((peer) => ({ each, peer })),
    )
    const spared = enemies.every(
      ({ each, peer }) => !around(peer.over).some((other) => other.request.entrypoint === each.request.entrypoint),
    )
    const near = hard(request.near).every(
      (peer) =>
        around(peer.over).some((each) => is(peer, each.request)) ||
        (is(peer, request) && !all.some((each) => is(peer, each.request))),
    )
    const limit = request.strategy !== undefined && 'count' in request.strategy ? request.strategy.count : undefined
    const perNode = Math.min(request.max?.node ?? Number.POSITIVE_INFINITY, limit ?? Number.POSITIVE_INFINITY)
    const perSite = request.max?.site ?? Number.POSITIVE_INFINITY
    const { over, shares } = request.spread ?? {}
    const value = over === undefined ? undefined : node.labels?.[over]
    const hasShare = over === undefined || (value !== undefined && (shares === undefined || (shares[value] ?? 0) > 0))
    return (
      apart &&
      spared &&
      near &&
      hasShare &&
      around(undefined).filter(own).length < perNode &&
      around('site').filter(own).length < perSite
    )
  }

  /** Lower is better, one after the other. */
  #keys(node: BooksNode, request: InstanceRequest): number[] {
    const here = this.#on((each) => each === node)
    const own = here.filter((each) => each.request.entrypoint === request.entrypoint).length
    const step = Math.floor(freeShare(node, here) * 1023)
    const type = request.strategy?.type ?? 'spread'
    const first = {
      spread: own,
      each: own,
      fill: -own,
      pack: step,
      balance: load(node, here),
      'drain-first': room(node, here, request),
    }[type]
    const second = type === 'pack' || type === 'balance' ? 0 : -step
    return [-this.#wishes(node, request), first, second, this.#turn(node, request)]
  }

  #wishes(node: BooksNode, { prefer = [], near = [], apart = [] }: InstanceRequest): number {
    const here = this.#on((each) => each === node)
    const met = (peers: readonly Peer[]): number =>
      peers.reduce((sum, peer) => sum + (here.some((each) => is(peer, each.request)) ? (peer.weight ?? 0) : 0), 0)
    const labels = prefer.reduce((sum, { where, weight }) => sum + (holds(where, node) ? weight : 0), 0)
    return labels + met(near) - met(apart)
  }

  #turn(node: BooksNode, request: InstanceRequest): number {
    const hash = hashText(node.name)
    const start = hashText(request.entrypoint, request.seed ?? 0)
    return hash >= start ? hash - 2 ** 32 : hash
  }

  #valueOrder({ entrypoint, spread }: InstanceRequest): string[] {
    const { over, shares } = spread!
    const values = [...new Set([...this.nodes.values()].flatMap((node) => node.labels?.[over] ?? []))].sort()
    const count = (value: string): number =>
      this.#on((node) => node.labels?.[over] === value).filter((each) => each.request.entrypoint === entrypoint).length
    const share = (value: string): number => (shares === undefined ? 1 : (shares[value] ?? 0))
    const used = values.filter((value) => share(value) > 0)
    const total = 1 + used.reduce((sum, value) => sum + count(value), 0)
    const sum = used.reduce((all, value) => all + share(value), 0)
    const deficit = (value: string): number => (share(value) * total) / sum - count(value)
    return used.sort((a, b) => deficit(b) - deficit(a) || (a < b ? -1 : 1))
  }

  #on(isOne: (node: BooksNode) => boolean): Placed[] {
    return [...this.placed.values()].filter(({ booking }) => isOne(this.nodes.get(booking.node)!))
  }
}

const is = (peer: Peer, { entrypoint }: InstanceRequest): boolean => {
  const [app, , name] = entrypoint.split('/')
  return peer.app === app && (peer.entrypoint === undefined || peer.entrypoint === name)
}

function holds(text: string, node: BooksNode): boolean {
  const read = parseRequirement(text)
  return read.ok && meets(read.value, node.labels?.[read.value.label])
}

const sums = (placed: readonly Placed[]): { cpuMilli: number; memoryBytes: number } => ({
  cpuMilli: placed.reduce((sum, { booking }) => sum + booking.reservedCpuMilli, 0),
  memoryBytes: placed.reduce((sum, { booking }) => sum + booking.reservedMemoryBytes, 0),
})

function freeShare(node: BooksNode, here: readonly Placed[]): number {
  const cpu = here.reduce((sum, { booking }) => sum + (booking.reservedCpuMilli || 100), 0)
  const memory = here.reduce((sum, { booking }) => sum + (booking.reservedMemoryBytes || 200 * 1024 ** 2), 0)
  return Math.max(0, Math.min((node.cpuMilli - cpu) / node.cpuMilli, (node.memoryBytes - memory) / node.memoryBytes))
}

/** In steps, like the books'. */
const load = (node: BooksNode, here: readonly Placed[]): number =>
  Math.min(1023, Math.floor((((node.measuredCpuMilli ?? 0) + sums(here).cpuMilli) / node.cpuMilli) * 512))

/** One in its node's network needs none, nor one that has its own. */
const addressesLeft = (node: BooksNode, here: readonly Placed[], request: InstanceRequest): number =>
  takesOne(request) ? (node.addresses ?? 0x3fffffff) - here.filter((each) => takesOne(each.request)).length : 0x3fffffff

const takesOne = ({ network, hasAddress }: InstanceRequest): boolean => network === undefined && hasAddress !== true

function room(node: BooksNode, here: readonly Placed[], request: InstanceRequest): number {
  const per = (free: number, amount: number): number =>
    amount === 0 ? Number.POSITIVE_INFINITY : Math.floor(free / amount)
  const used = sums(here)
  const most = Math.min(
    addressesLeft(node, here, request),
    per(node.cpuMilli - used.cpuMilli, request.cpuMilli ?? 0),
    per(node.memoryBytes - used.memoryBytes, request.memoryBytes ?? 0),
  )
  return (request.hostPorts?.length ?? 0) > 0 ? Math.min(1, most) : most
}

function compareKeys(a: readonly number[], b: readonly number[]): number {
  for (const [index, key] of a.entries()) if (key !== b[index]) return key - b[index]!
  return 0
}
