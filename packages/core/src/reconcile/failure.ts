import type { EntrypointSpec } from '../model/app-spec.ts'
import type { Rollout, RolloutFailure } from '../model/rollout.ts'
import { isServing, isUp, type ObservedInstance } from './pool-snapshot.ts'

/** A new instance that has exited this often before it was ever ready has failed; waiting longer would only hide it. */
export const fatalRestarts = 3

/**
 * The time from which an instance that should serve counts as failed, or undefined while it serves. One that the rollout has made has
 * its `readyTimeout`. Others (on the way back) are not on trial, but are not waited for any longer than that either.
 */
export function failsAt(each: ObservedInstance, spec: EntrypointSpec, rollout: Rollout): number | undefined {
  if (!isUp(each) || isServing(each)) return undefined
  const own = each.instance.rollout === rollout.id
  if (own && hasGivenUp(each)) return 0
  return Math.max(each.since, own ? 0 : rollout.updatedAt) + spec.readyTimeoutMs
}

export const failureOf = (each: ObservedInstance, spec: EntrypointSpec): RolloutFailure => ({
  instance: each.instance.id,
  reason: reasonOf(each, Math.round(spec.readyTimeoutMs / 1000)),
  logTail: each.status?.logTail ?? [],
})

const hasGivenUp = ({ status }: ObservedInstance): boolean =>
  status?.phase === 'ended' || (status?.ready !== true && (status?.restarts ?? 0) >= fatalRestarts)

function reasonOf(each: ObservedInstance, seconds: number): string {
  const { instance, status } = each
  if (status?.phase === 'ended') return `ended${exitText(each)}`
  if (hasGivenUp(each)) return `exited ${status?.restarts} times before it was ready${exitText(each)}`
  if (instance.node === undefined) return `found no node within ${seconds} s: ${instance.unplaced ?? 'not tried yet'}`
  if (!each.nodeOnline) return `cannot be heard of: node ${instance.node} has been offline for ${seconds} s`
  if (status?.ready === true) return `is ready, but no gateway has taken it into traffic for ${seconds} s`
  const detail = status?.message === undefined ? '' : `: ${status.message}`
  return `not ready after ${seconds} s${detail}${exitText(each)}`
}

function exitText(each: ObservedInstance): string {
  const exit = each.status?.lastExit
  if (exit === undefined) return ''
  if (each.status?.messageCode === 'disk-exceeded') return `: ${each.status.message ?? 'too much of the disk was used'}`
  if (exit.outOfMemory) return `: out of memory (limit ${Math.round((each.instance.memoryBytes ?? 0) / 1024 ** 2)}Mi)`
  return exit.signal === undefined ? `: exit code ${exit.code}` : `: killed by ${exit.signal}`
}
