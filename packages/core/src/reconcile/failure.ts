import type { EntrypointSpec } from '../model/app-spec.ts'
import type { RolloutFailure } from '../model/records.ts'
import { isUp, type ObservedInstance } from './pool-snapshot.ts'

/** A new instance that has exited this often before it was ever ready has failed; waiting longer would only hide it. */
export const fatalRestarts = 3

/** Why a new instance counts as failed, or undefined while there is hope. */
export function failureOf(each: ObservedInstance, spec: EntrypointSpec, now: number): RolloutFailure | undefined {
  const { instance, status } = each
  if (!isUp(each)) return undefined
  const reason = status?.ready === true ? notInTraffic(each, spec, now) : failureReason(each, spec, now)
  return reason === undefined ? undefined : { instance: instance.id, reason, logTail: status?.logTail ?? [] }
}

function failureReason(each: ObservedInstance, spec: EntrypointSpec, now: number): string | undefined {
  const { instance, status } = each
  if (status?.phase === 'ended') return `ended${exitText(each)}`
  if ((status?.restarts ?? 0) >= fatalRestarts)
    return `exited ${status?.restarts} times before it was ready${exitText(each)}`
  if (now - instance.createdAt < spec.readyTimeoutMs) return undefined
  const seconds = Math.round(spec.readyTimeoutMs / 1000)
  if (instance.node === undefined) return `found no node within ${seconds} s: ${instance.unplaced ?? 'not tried yet'}`
  if (!each.nodeOnline)
    return `node ${instance.node} has been offline for the ${seconds} s in which it should have become ready`
  const detail = status?.message === undefined ? '' : `: ${status.message}`
  return `not ready after ${seconds} s${detail}${exitText(each)}`
}

/** Ready is not enough where a route leads to it: a gateway that takes nothing new in must not leave a rollout running for ever. */
function notInTraffic(each: ObservedInstance, spec: EntrypointSpec, now: number): string | undefined {
  if (!each.routed || each.inTraffic || now - (each.status?.readyAt ?? now) < spec.readyTimeoutMs) return undefined
  return `is ready, but no gateway has taken it into traffic for ${Math.round(spec.readyTimeoutMs / 1000)} s`
}

function exitText(each: ObservedInstance): string {
  const exit = each.status?.lastExit
  if (exit === undefined) return ''
  if (exit.outOfMemory) return `: out of memory (limit ${Math.round((each.instance.memoryBytes ?? 0) / 1024 ** 2)}Mi)`
  return exit.signal === undefined ? `: exit code ${exit.code}` : `: killed by ${exit.signal}`
}
