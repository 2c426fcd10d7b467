/** What befalls the cluster, drawn from a seed: the same seed gives the same plan. */
export type FaultKind =
  | 'kill-server'
  | 'pause-server'
  | 'kill-etcd'
  | 'pause-etcd'
  | 'cut-store'
  | 'lose-answers'
  | 'reset-store'
  | 'cut-agents'
  | 'reset-agents'

export interface Fault {
  readonly kind: FaultKind
  /** Which server or member. */
  readonly target: number
  readonly lastsMs: number
  /** Until the next one begins: where it is less than `lastsMs`, two happen at a time. */
  readonly thenMs: number
  /** What is asked of the pool meanwhile. */
  readonly replicas: number
}

const kinds: readonly FaultKind[] = [
  ...['kill-server', 'kill-server', 'pause-server', 'pause-server', 'kill-etcd', 'pause-etcd'],
  ...['cut-store', 'cut-store', 'lose-answers', 'reset-store', 'cut-agents', 'reset-agents'],
] as FaultKind[]

/** Numbers from 0 to 1 that follow from the seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

export interface PlanSize {
  readonly faults: number
  readonly servers: number
  readonly members: number
  readonly maxReplicas: number
}

export function planFaults(seed: number, { faults, servers, members, maxReplicas }: PlanSize): Fault[] {
  const random = seededRandom(seed)
  const below = (limit: number): number => Math.floor(random() * limit)
  return Array.from({ length: faults }, () => {
    const kind = kinds[below(kinds.length)] ?? 'kill-server'
    const target = below(kind.endsWith('etcd') ? members : servers)
    const lastsMs = 300 + below(5_000)
    return { kind, target, lastsMs, thenMs: 300 + below(lastsMs + 500), replicas: 1 + below(maxReplicas) }
  })
}

export const describeFault = ({ kind, target, lastsMs, thenMs, replicas }: Fault): string =>
  `${kind} ${target} for ${lastsMs} ms, next after ${thenMs} ms, ${replicas} replicas`
