/** What tells apart the instances that had one id after the other: the time at which the server made each. */
export interface Incarnated {
  /** Absent where it was written before this was told apart. */
  readonly createdAt?: number
}

/**
 * Whether two records of one id are about the same instance. An id comes again when a pool or an app is removed and made anew, and when a
 * store is restored. What does not know its incarnation is taken for the one it is compared with, so that what ran before this was told
 * apart is adopted.
 */
export const isSameIncarnation = (left: Incarnated, right: Incarnated): boolean =>
  left.createdAt === undefined || right.createdAt === undefined || left.createdAt === right.createdAt
