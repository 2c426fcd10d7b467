/** What decides how many equal requests a node's cores hold. */
export interface CoreRoom {
  /** Cores that nobody uses. */
  readonly free: number
  /** Fragments of the wanted size that fit on cores shared already. */
  readonly fragments: number
  /** Fragments of that size on a core newly opened for sharing. */
  readonly perCore: number
  /** How many more cores may be opened. */
  readonly mayOpen: number
}

/**
 * How many requests of `whole` cores and one fragment (or none: `hasFragment` false) fit: the largest m with
 * `whole·m + opened(m) ≤ free`, where `opened(m) = ⌈(m − fragments) ÷ perCore⌉`; the same as
 * `max over x of min(S + x·k, ⌊(F − x) ÷ n⌋)`, without trying every x. The greedy order of the ledger reaches it, since it opens a
 * core only when no shared one has room.
 */
export function coreCapacity(room: CoreRoom, whole: number, hasFragment: boolean): number {
  const free = Math.max(0, room.free)
  if (!hasFragment) return whole === 0 ? Number.POSITIVE_INFINITY : Math.floor(free / whole)
  if (whole > 0 && whole * room.fragments >= free) return Math.floor(free / whole)
  const mayOpen = Math.min(room.mayOpen, free)
  if (room.perCore === 0 || mayOpen <= 0) return room.fragments
  if (whole === 0) return room.fragments + mayOpen * room.perCore
  const left = free - whole * room.fragments
  const full = Math.floor(left / (whole * room.perCore + 1))
  const rest = left - full * (whole * room.perCore + 1)
  const opened = full * room.perCore + Math.max(0, Math.min(room.perCore, Math.floor((rest - 1) / whole)))
  return room.fragments + Math.min(opened, mayOpen * room.perCore)
}
