import type { AppSpec, EntrypointSpec } from '../model/index.ts'
import { isUp, type ObservedInstance, type PoolPlan, type PoolSnapshot, type PoolStep } from './pool-snapshot.ts'

/** How long an instance that has left goes on serving those who have not heard of it. */
export interface Patience {
  /** Answers of the nodes' DNS live this long. */
  readonly nameTtlMs: number
  /** A gateway that is cut off may still route by its last table, so a draining instance waits this much longer for its word. */
  readonly gatewayGraceMs: number
}

export const defaultPatience: Patience = { nameTtlMs: 1000, gatewayGraceMs: 300_000 }

const keptJobs = 10
const keptJobMs = 24 * 3_600_000

/** The way out: drained → stop, stopped and ended → forget, jobs of rollouts that are over and old job runs → stop. */
export function retire(snapshot: PoolSnapshot, now: number, patience: Patience): PoolPlan {
  const steps: PoolStep[] = []
  const times: number[] = []
  for (const each of snapshot.instances) {
    const { id, desired, stopReason } = each.instance
    if (desired === 'stop' && isGone(each)) steps.push({ type: 'forget', instance: id })
    if (desired !== 'drain') continue
    const stopAt = drainedAt(each, snapshot, now, patience)
    if (stopAt <= now) steps.push({ type: 'stop', instance: id, reason: stopReason ?? 'drained' })
    else times.push(stopAt)
  }
  if (snapshot.pool.removing !== true) {
    const old = oldJobs(snapshot, now)
    steps.push(...strayJobs(snapshot), ...old.steps)
    if (old.nextAt !== undefined) times.push(old.nextAt)
  }
  return times.length === 0 ? { steps } : { steps, nextAt: Math.min(...times) }
}

const isGone = (each: ObservedInstance): boolean => each.instance.node === undefined || each.status?.phase === 'ended'

/** The time at which nothing speaks against stopping a draining instance any more. */
function drainedAt(each: ObservedInstance, snapshot: PoolSnapshot, now: number, patience: Patience): number {
  const running = each.status?.phase === 'running' || each.status?.phase === 'stopping'
  if (!running || each.instance.type === 'job') return now
  const spec = specOf(snapshot.specs, each)
  const since = each.instance.drainSince ?? now
  // Nodes and gateways may have heard of it only since somebody was there to tell them.
  const told = Math.max(since, snapshot.listeningSince)
  const named = (spec?.ports.length ?? 0) > 0 ? told + patience.nameTtlMs : told
  const longest = since + (spec?.drainMs ?? 0)
  if (!each.outOfTraffic) return Math.max(named, longest) + patience.gatewayGraceMs
  return each.inflight === 0 ? named : Math.max(named, longest)
}

function specOf(specs: ReadonlyMap<string, AppSpec>, each: ObservedInstance): EntrypointSpec | undefined {
  return specs.get(each.instance.release)?.entrypoints[each.instance.entrypoint]
}

const isLiveJob = (each: ObservedInstance): boolean =>
  each.instance.type === 'job' && isUp(each) && each.status?.phase !== 'ended'

/** A job of a rollout that was given up must not go on, or even begin, behind its back. */
function strayJobs({ instances, rollout }: PoolSnapshot): PoolStep[] {
  const held = rollout?.state === 'rolling-back' ? undefined : rollout?.id
  return instances
    .filter((each) => isLiveJob(each) && each.instance.rollout !== undefined && each.instance.rollout !== held)
    .map(({ instance }) => ({ type: 'stop', instance: instance.id, reason: 'its rollout was given up' }))
}

/** Job runs that nobody needs any more. Those of the rollout under way are its memory of what has run. */
function oldJobs(snapshot: PoolSnapshot, now: number): PoolPlan {
  const { instances, rollout } = snapshot
  const ended = instances
    .filter((each) => each.instance.type === 'job' && isUp(each) && each.status?.phase === 'ended')
    .filter((each) => rollout === undefined || each.instance.rollout !== rollout.id)
    .sort((a, b) => b.instance.createdAt - a.instance.createdAt)
  const single = ended.filter(({ instance }) => instance.dueAt === undefined)
  const expiry = (each: ObservedInstance): number => (each.status?.endedAt ?? now) + keptJobMs
  const old = [
    ...single.filter((each, index) => index >= keptJobs || expiry(each) <= now),
    ...oldRuns(ended, snapshot.specs),
  ]
  const steps = old.map(({ instance }): PoolStep => ({ type: 'stop', instance: instance.id, reason: 'old job run' }))
  const later = single
    .slice(0, keptJobs)
    .map(expiry)
    .filter((time) => time > now)
  return later.length === 0 ? { steps } : { steps, nextAt: Math.min(...later) }
}

/** Of what runs by the clock as many are kept as its schedule says, however long ago they ran. */
function oldRuns(ended: readonly ObservedInstance[], specs: PoolSnapshot['specs']): ObservedInstance[] {
  const kept = new Map<string, number>()
  return ended.filter((each) => {
    const { dueAt, entrypoint } = each.instance
    if (dueAt === undefined) return false
    const count = (kept.get(entrypoint) ?? 0) + 1
    kept.set(entrypoint, count)
    return count > (specOf(specs, each)?.schedule?.history ?? keptJobs)
  })
}
