import type { AppSpec, EntrypointSpec } from '../model/index.ts'
import type { ObservedInstance, PoolSnapshot, PoolStep } from './pool-snapshot.ts'

/** Answers of the nodes' DNS live this long, so an instance with ports goes on serving for that time after it left. */
export const nameTtlMs = 1000
/** A gateway that is cut off may still route by its last table, so a draining instance waits this much longer for its word. */
export const gatewayGraceMs = 300_000
const keptJobs = 10
const keptJobMs = 24 * 3_600_000

/** The way out: drained → stop, stopped and ended → forget, old job runs → stop. */
export function retire(
  snapshot: PoolSnapshot,
  now: number,
): { readonly steps: readonly PoolStep[]; readonly nextAt?: number } {
  const steps: PoolStep[] = []
  let nextAt = Number.POSITIVE_INFINITY
  for (const each of snapshot.instances) {
    if (each.instance.desired === 'stop' && isGone(each)) steps.push({ type: 'forget', instance: each.instance.id })
    if (each.instance.desired !== 'drain') continue
    const stopAt = drainedAt(each, specOf(snapshot.specs, each), now)
    if (stopAt <= now)
      steps.push({ type: 'stop', instance: each.instance.id, reason: each.instance.stopReason ?? 'drained' })
    else nextAt = Math.min(nextAt, stopAt)
  }
  steps.push(...oldJobs(snapshot, now))
  return Number.isFinite(nextAt) ? { steps, nextAt } : { steps }
}

const isGone = (each: ObservedInstance): boolean => each.instance.node === undefined || each.status?.phase === 'ended'

/** The time at which nothing speaks against stopping a draining instance any more. */
function drainedAt(each: ObservedInstance, spec: EntrypointSpec | undefined, now: number): number {
  const since = each.instance.drainSince ?? now
  const running = each.status?.phase === 'running' || each.status?.phase === 'stopping'
  if (!running || each.instance.type === 'job') return now
  const named = (spec?.ports.length ?? 0) > 0 ? since + nameTtlMs : since
  const longest = since + (spec?.drainMs ?? 0)
  if (!each.outOfTraffic) return Math.max(named, longest) + gatewayGraceMs
  return each.inflight === 0 ? named : Math.max(named, longest)
}

function specOf(specs: ReadonlyMap<string, AppSpec>, each: ObservedInstance): EntrypointSpec | undefined {
  return specs.get(each.instance.release)?.entrypoints[each.instance.entrypoint]
}

function oldJobs(snapshot: PoolSnapshot, now: number): PoolStep[] {
  const ended = snapshot.instances
    .filter((each) => each.instance.type === 'job' && each.instance.desired === 'run' && each.status?.phase === 'ended')
    .sort((a, b) => b.instance.createdAt - a.instance.createdAt)
  return ended
    .filter((each, index) => index >= keptJobs || now - (each.status?.endedAt ?? now) > keptJobMs)
    .map((each) => ({ type: 'stop', instance: each.instance.id, reason: 'old job run' }))
}
