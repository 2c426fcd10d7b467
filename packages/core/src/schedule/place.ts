import { type Candidate, type PlacementRequest, refuse } from './filters.ts'

export interface Placement {
  readonly node: string
  readonly address: string
  /** The grant: what was asked for, or the default cut to the node's size. */
  readonly cpuMilli: number
  readonly memoryBytes: number
}

/** Why no node would do: counts per reason, fullest sentence first; printed as it is. */
export interface Refusal {
  readonly reasons: Readonly<Record<string, number>>
  readonly message: string
}

export type PlacementResult =
  | { readonly placed: true; readonly placement: Placement }
  | { readonly placed: false; readonly refusal: Refusal }

/** A sentence is kept with every instance that waits, so it does not grow with the cluster. */
const toldReasons = 5

export const defaultCpuMilli = 4000
export const defaultMemoryBytes = 8 * 1024 ** 3

/**
 * Finds a node for one instance: filters refuse with a reason, then the emptiest for this entrypoint wins (spread), then the one
 * with the most CPU left, then the first by name, so equal input gives an equal answer. `candidates` is not changed: call
 * {@link take} to enter the result before the next call of a batch.
 */
export function place(request: PlacementRequest, candidates: readonly Candidate[]): PlacementResult {
  const reasons: Record<string, number> = {}
  let best: Candidate | undefined
  for (const candidate of candidates) {
    const reason = refuse(request, candidate)
    if (reason !== undefined) reasons[reason] = (reasons[reason] ?? 0) + 1
    else if (best === undefined || isBetter(request, candidate, best)) best = candidate
  }
  if (best === undefined) return { placed: false, refusal: refusal(candidates.length, reasons) }
  const address = best.nextAddress()
  if (address === undefined) return { placed: false, refusal: refusal(candidates.length, { 'no free address': 1 }) }
  return {
    placed: true,
    placement: {
      node: best.name,
      address,
      cpuMilli: request.cpuMilli ?? Math.min(defaultCpuMilli, best.cpuMilli),
      memoryBytes: request.memoryBytes ?? Math.min(defaultMemoryBytes, best.memoryBytes),
    },
  }
}

/** Enters a placement into the candidate's books, so that the next decision of the same batch sees it. */
export function take(request: PlacementRequest, placement: Placement, candidates: readonly Candidate[]): void {
  const candidate = candidates.find((each) => each.name === placement.node)
  if (candidate === undefined) return
  candidate.cpuReservedMilli += request.cpuMilli ?? 0
  candidate.memoryReservedBytes += request.memoryBytes ?? 0
  candidate.usedAddresses.add(placement.address)
  candidate.lastAddress = placement.address
  for (const port of request.hostPorts) candidate.usedHostPorts.add(port)
  candidate.instances += 1
  candidate.peers.set(request.group, (candidate.peers.get(request.group) ?? 0) + 1)
}

function isBetter(request: PlacementRequest, a: Candidate, b: Candidate): boolean {
  const peers = (a.peers.get(request.group) ?? 0) - (b.peers.get(request.group) ?? 0)
  if (peers !== 0) return peers < 0
  const free = a.cpuMilli - a.cpuReservedMilli - (b.cpuMilli - b.cpuReservedMilli)
  if (free !== 0) return free > 0
  if (a.instances !== b.instances) return a.instances < b.instances
  return a.name < b.name
}

function refusal(total: number, reasons: Readonly<Record<string, number>>): Refusal {
  if (total === 0) return { reasons, message: 'the cluster has no node yet: run `berth up` or `berth node join`' }
  const parts = Object.entries(reasons)
    .sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))
    .map(([reason, count]) => `${count} ${reason}`)
  const more = parts.length > toldReasons ? [`and ${parts.length - toldReasons} other reasons`] : []
  const told = [...parts.slice(0, toldReasons), ...more].join(', ')
  return { reasons, message: `${total} ${total === 1 ? 'node' : 'nodes'}: ${told}` }
}
