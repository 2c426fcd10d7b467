import type { NodeState } from './node-store.ts'

export interface SnapshotOrigin {
  readonly epoch: string
  readonly revision: number
}

/**
 * Whether tombstones of this store may be obeyed. A store that is not the one known, or that has gone back in time, may miss what
 * was decided since: nothing is deleted on its word until a person (`acceptEpoch`) says that it is the right one. Returns the reason to
 * freeze deletions, or undefined.
 */
export function reasonToFreeze(
  known: Pick<NodeState, 'epoch' | 'revision'>,
  snapshot: SnapshotOrigin,
  acceptEpoch: string | undefined,
): string | undefined {
  if (known.epoch === undefined || snapshot.epoch === acceptEpoch) return undefined
  if (known.epoch !== snapshot.epoch) {
    return `the server speaks for store ${snapshot.epoch}, this node belongs to ${known.epoch}: stops are withheld; if that store is the right one, restart the agent with --accept-epoch ${snapshot.epoch}`
  }
  if (snapshot.revision < known.revision) {
    return `the server's store went back from revision ${known.revision} to ${snapshot.revision}: stops are withheld until it has caught up; if it was restored on purpose, restart the agent with --accept-epoch ${snapshot.epoch}`
  }
  return undefined
}
