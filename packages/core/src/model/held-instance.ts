import type { Instance } from './instance.ts'
import type { Pool } from './pool.ts'

/**
 * It has a place that nobody else gets, and must not start yet: those that it displaces have not left, or others of its gang have no
 * place. Its agent hears nothing of it. One that is ordered to stop is held no longer, so that it can be seen to its end.
 */
export const isHeld = (
  instance: Pick<Instance, 'desired' | 'node' | 'waitsFor' | 'gang' | 'entrypoint'>,
  pool: Pick<Pool, 'openGangs'> | undefined,
): boolean =>
  instance.desired !== 'stop' &&
  instance.node !== undefined &&
  ((instance.waitsFor?.length ?? 0) > 0 || (instance.gang ?? 0) > (pool?.openGangs?.[instance.entrypoint] ?? 0))
