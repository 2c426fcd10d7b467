/**
 * Where instances of an entrypoint may run, and where they had better: the part of `berth.yaml` below `placement`, in its canonical
 * form. `docs/guides/placement.md` explains it, `docs/design/scheduler.md` decides it.
 */
export interface PlacementSpec {
  /** The node group; absent: the pool's own, else `default` (`nodeGroupOf`). */
  readonly group?: string
  readonly strategy: PlacementStrategy
  /** Requirements on the node's labels, as texts of the requirement grammar; all of them must hold. */
  readonly where: readonly string[]
  /** What is wished for: a node gets the weights of all that hold there. */
  readonly prefer: readonly PlacementPreference[]
  /** Not on a node with any of these. */
  readonly apart: readonly PlacementPeer[]
  /** Only on a node with all of these. */
  readonly near: readonly PlacementPeer[]
  readonly spread?: SpreadShares
  /** At most so many of the entrypoint (in one pool) on a node, and on nodes of one site. */
  readonly max: { readonly node?: number; readonly site?: number }
  /** Taints that do not matter. */
  readonly tolerate: readonly Taint[]
  /** When its node is lost. */
  readonly reschedule: { readonly afterMs: number } | 'never'
}

export type PlacementStrategy =
  /** The node with the fewest of the same entrypoint, then the one with the most free. */
  | { readonly type: 'spread' }
  /** The fullest node that has room. */
  | { readonly type: 'pack' }
  /** The node with room for the fewest more of these, until it is used up: large gaps stay whole. */
  | { readonly type: 'drain-first' }
  /** The node that is used least, as measured. */
  | { readonly type: 'balance' }
  /** Up to `count` on a node, then the next. */
  | { readonly type: 'fill'; readonly count: number }
  /** A system service: `count` on every node that matches; `replicas` has no meaning. */
  | { readonly type: 'each'; readonly count: number }

export interface PlacementPreference {
  readonly where: string
  /** −100 … 100; below 0 a node is avoided. */
  readonly weight: number
}

/** An entrypoint, or with no `entrypoint` a whole app, in whatever environment it runs. */
export interface PlacementPeer {
  readonly app: string
  readonly entrypoint?: string
  /** Absent: it must be so. Given (1 … 100): it is only wished for, as much as this. */
  readonly weight?: number
  /** A label: on nodes with the same value of it. Absent: on one node. */
  readonly over?: string
}

/** `{over: site, shares: {bj: 700, cloud: 300}}`: thousandths by the label's value, 1000 together; absent: the same for every value. */
export interface SpreadShares {
  /** Name of a label. */
  readonly over: string
  readonly shares?: Readonly<Record<string, number>>
}

/** Keeps everything from a node that does not tolerate it. As a toleration without `value` it means every taint of that key. */
export interface Taint {
  readonly key: string
  readonly value?: string
}

/** What an instance may use of a shared core beyond what it asked for: what neighbours leave idle, or nothing. */
export type BurstMode = 'share' | 'quota'

/** When a job runs by itself. */
export interface ScheduleSpec {
  /** Five fields (minute, hour, day of month, month, day of week); `@daily` and the like are written out. */
  readonly cron: string
  /** IANA name; the expression is read by the clocks of that place. */
  readonly zone: string
  /** A run is due while the one before goes on: it is left out, takes its place, or runs beside it. */
  readonly overlap: 'skip' | 'replace' | 'allow'
  /** So many ended runs are kept. */
  readonly history: number
  /** A run that was missed (no server was up) is made up for once if it is no later than this. */
  readonly graceMs: number
}
