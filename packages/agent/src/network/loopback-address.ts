import { networkInterfaces } from 'node:os'
import { type Exec, mustRun } from './run-command.ts'

/** Whether some interface of this network namespace has the address, as `lo` has all of 127.0.0.0/8; costs no process. */
export const hasLocalAddress = (address: string): boolean =>
  address.startsWith('127.') ||
  Object.values(networkInterfaces()).some((each) => each?.some((one) => one.address === address))

/** Whether `lo` itself has it: what a bridge has goes with the bridge. Costs no process. */
export const hasLoopbackAddress = (address: string): boolean =>
  networkInterfaces().lo?.some((each) => each.address === address) === true

/**
 * Gives `lo` the address, so that every container of the node reaches it through its default gateway. Its scope is the host, or the
 * kernel might choose it as the source of packets to other machines. Succeeds when it is there already.
 */
export async function ensureLoopbackAddress(exec: Exec, address: string, signal?: AbortSignal): Promise<void> {
  await mustRun(exec, 'ip', ['link', 'set', 'lo', 'up'], { signal })
  await mustRun(exec, 'ip', ['address', 'replace', `${address}/32`, 'dev', 'lo', 'scope', 'host'], { signal })
}

export async function removeLoopbackAddress(exec: Exec, address: string, signal?: AbortSignal): Promise<void> {
  await mustRun(exec, 'ip', ['address', 'delete', `${address}/32`, 'dev', 'lo'], { signal })
}
