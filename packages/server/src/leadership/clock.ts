/** A clock that nobody sets. */
export interface MonotonicClock {
  now(): number
}

export const monotonicClock: MonotonicClock = { now: () => performance.now() }
