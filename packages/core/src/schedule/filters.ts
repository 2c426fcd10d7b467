/** What one instance asks of a node. */
export interface PlacementRequest {
  /** `shop/production/web`: instances of one group are spread. */
  readonly group: string
  /** What was asked for is reserved; what was not (undefined) only becomes a limit. */
  readonly cpuMilli?: number
  readonly memoryBytes?: number
  readonly diskBytes?: number
  readonly hostPorts: readonly number[]
}

/** A node with its books. Mutable on purpose: a batch of decisions enters each result with `take`. */
export interface Candidate {
  readonly name: string
  readonly online: boolean
  readonly schedulable: boolean
  readonly cpuMilli: number
  readonly memoryBytes: number
  readonly diskFreeBytes: number
  cpuReservedMilli: number
  memoryReservedBytes: number
  instances: number
  /** Instances per group. */
  readonly peers: Map<string, number>
  readonly usedAddresses: Set<string>
  readonly usedHostPorts: Set<number>
  lastAddress: string | undefined
  /** The next free address of the node's block, undefined when there is none. */
  nextAddress(): string | undefined
}

type Filter = (request: PlacementRequest, node: Candidate) => string | undefined

/** In the order in which a reader wants to hear them; the first refusal of a node counts. */
const filters: readonly Filter[] = [
  (_, node) => (node.online ? undefined : 'offline'),
  (_, node) => (node.schedulable ? undefined : 'cordoned'),
  (request, node) =>
    (request.cpuMilli ?? 0) > node.cpuMilli - node.cpuReservedMilli
      ? `too little CPU (${cores(node.cpuMilli - node.cpuReservedMilli)} of ${cores(request.cpuMilli ?? 0)} cores free on ${node.name})`
      : undefined,
  (request, node) =>
    (request.memoryBytes ?? 0) > node.memoryBytes - node.memoryReservedBytes
      ? `too little memory (${mebibytes(node.memoryBytes - node.memoryReservedBytes)} of ${mebibytes(request.memoryBytes ?? 0)} free on ${node.name})`
      : undefined,
  (request, node) =>
    (request.diskBytes ?? 0) > node.diskFreeBytes
      ? `too little disk (${mebibytes(node.diskFreeBytes)} of ${mebibytes(request.diskBytes ?? 0)} free on ${node.name})`
      : undefined,
  (request, node) => {
    const taken = request.hostPorts.find((port) => node.usedHostPorts.has(port))
    return taken === undefined ? undefined : `port ${taken} taken on ${node.name}`
  },
  (_, node) => (node.nextAddress() === undefined ? `no free address in the block of ${node.name}` : undefined),
]

/** Why this node will not do, or undefined when it will. */
export function refuse(request: PlacementRequest, node: Candidate): string | undefined {
  for (const filter of filters) {
    const reason = filter(request, node)
    if (reason !== undefined) return reason
  }
  return undefined
}

const cores = (milli: number): string => String(Math.max(0, milli) / 1000)
const mebibytes = (bytes: number): string => `${Math.max(0, Math.floor(bytes / 1024 ** 2))}Mi`
