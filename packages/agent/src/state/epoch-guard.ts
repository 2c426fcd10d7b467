import type { NodeState } from './node-store.ts'

export interface SnapshotOrigin {
  readonly epoch: string
  readonly revision: number
  /** Epochs of stores whose records were moved into this one. */
  readonly follows?: readonly string[]
}

/** What a person has said about stores, and where to say it. */
export interface EpochAcceptance {
  /** The store with this epoch is the right one, whatever this node knew before. */
  readonly epoch: string | undefined
  /** File to write an epoch to. */
  readonly path: string
}

/**
 * Whether tombstones of this store may be obeyed. A store that is not the one known, or that has gone back in time, may miss what
 * was decided since: nothing is deleted on its word until a person says that it is the right one. Returns the reason to freeze
 * deletions, or undefined.
 */
export function reasonToFreeze(
  known: Pick<NodeState, 'epoch' | 'revision'>,
  snapshot: SnapshotOrigin,
  accepted: EpochAcceptance,
): string | undefined {
  if (known.epoch === undefined || snapshot.epoch === accepted.epoch) return undefined
  // Nothing was decided since in the old store: its records were moved while no server stood on it.
  if (snapshot.follows?.includes(known.epoch) === true) return undefined
  const next = `if that is right, say so on this node: echo ${snapshot.epoch} > ${accepted.path}`
  if (known.epoch !== snapshot.epoch) {
    return `the server speaks for store ${snapshot.epoch}, this node belongs to ${known.epoch}: stops are withheld; ${next}`
  }
  if (snapshot.revision < known.revision) {
    return `the server's store went back from revision ${known.revision} to ${snapshot.revision}: stops are withheld until it has caught up; ${next}`
  }
  return undefined
}
