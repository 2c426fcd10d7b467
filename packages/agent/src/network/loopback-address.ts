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
  // One of IPv6 could else not be a route's source at once.
  const how = address.includes(':') ? ['nodad'] : ['scope', 'host']
  await mustRun(exec, 'ip', ['address', 'replace', singleOf(address), 'dev', 'lo', ...how], { signal })
}

export async function removeLoopbackAddress(exec: Exec, address: string, signal?: AbortSignal): Promise<void> {
  await mustRun(exec, 'ip', ['address', 'delete', singleOf(address), 'dev', 'lo'], { signal })
}

/** With its prefix. */
export const singleOf = (address: string): string => `${address}/${address.includes(':') ? 128 : 32}`
