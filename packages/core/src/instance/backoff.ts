export interface BackoffLimits {
  readonly firstMs: number
  readonly maxMs: number
}

export const restartBackoff: BackoffLimits = { firstMs: 1_000, maxMs: 60_000 }

/** 0 for no failure, then `firstMs` doubled with every further one, at most `maxMs`. */
export function backoffMs(failures: number, limits: BackoffLimits = restartBackoff): number {
  if (failures <= 0) return 0
  return Math.min(limits.maxMs, limits.firstMs * 2 ** Math.min(failures - 1, 30))
}
