import type { AppSpec, ReplicaCount } from '../model/index.ts'
import { isSystem } from '../spec/placement-of.ts'

type Counts = Readonly<Record<string, ReplicaCount>>

/** Counts when `spec` is rolled out: a count set by `scale` stays unless the yaml's own number has changed since. */
export function countsForSpec(before: Counts, spec: AppSpec): Record<string, ReplicaCount> {
  const counts: Record<string, ReplicaCount> = {}
  for (const [name, entrypoint] of Object.entries(spec.entrypoints)) {
    if (entrypoint.type !== 'service') continue
    const held = before[name]
    if (isSystem(entrypoint)) {
      // It has as many as there are nodes; a count of before comes back with a release that counts.
      if (held !== undefined) counts[name] = held
      continue
    }
    const keep = held?.setBy === 'scale' && held.specCount === entrypoint.replicas
    counts[name] = keep ? held : { count: entrypoint.replicas, setBy: 'spec', specCount: entrypoint.replicas }
  }
  return counts
}

/** Counts when a rollout did not succeed: those of before, but what somebody has scaled meanwhile stays. */
export function restoreCounts(now: Counts, before: Counts): Record<string, ReplicaCount> {
  const counts: Record<string, ReplicaCount> = {}
  for (const [name, held] of Object.entries(before)) {
    const current = now[name]
    counts[name] = current?.setBy === 'scale' ? { ...current, specCount: held.specCount } : held
  }
  return counts
}
