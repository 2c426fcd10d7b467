import { writeFile } from 'node:fs/promises'
import { formatAddress } from '@berth/core'
import type { NetworkPlan6 } from './ipv6-plan.ts'
import { type AddressPlan, bridgeName } from './network-plan.ts'
import { type Exec, mustRun } from './run-command.ts'

/**
 * Containers on a bridge look for every address of the node's block on the bridge itself. For those that instances of other nodes have, the
 * node answers and passes on what comes. Run again after applying, nothing is changed.
 */
export async function answerForAway(
  exec: Exec,
  { away }: Pick<AddressPlan, 'away'>,
  signal?: AbortSignal,
): Promise<void> {
  const wanted = away.map(({ base }) => formatAddress(base))
  await answerFor(exec, wanted, { family: '-4', cache: 'arp_cache' }, signal)
}

/** The same of IPv6, for which a link has to be told to answer at all. */
export async function answerForAway6(
  exec: Exec,
  { away }: Pick<NetworkPlan6, 'away'>,
  signal?: AbortSignal,
): Promise<void> {
  if (away.length > 0) await writeFile(`/proc/sys/net/ipv6/conf/${bridgeName}/proxy_ndp`, '1')
  const wanted = away.map((each) => each.replace('/128', ''))
  await answerFor(exec, wanted, { family: '-6', cache: 'ndisc_cache' }, signal)
}

async function answerFor(
  exec: Exec,
  wanted: readonly string[],
  { family, cache }: { readonly family: '-4' | '-6'; readonly cache: string },
  signal?: AbortSignal,
): Promise<void> {
  const run = (...args: readonly string[]): Promise<string> => mustRun(exec, 'ip', args, { signal })
  const found = addressesOf(await run('-json', family, 'neigh', 'show', 'proxy', 'dev', bridgeName))
  const missing = wanted.filter((address) => !found.includes(address))
  // Else the kernel waits up to 0.8 s before it answers for another.
  if (missing.length > 0) await run('ntable', 'change', 'name', cache, 'dev', bridgeName, 'proxy_delay', '0')
  for (const address of missing) await run('neigh', 'replace', 'proxy', address, 'dev', bridgeName)
  for (const address of found)
    if (!wanted.includes(address)) await run('neigh', 'delete', 'proxy', address, 'dev', bridgeName)
}

function addressesOf(text: string): readonly string[] {
  const list = text.trim() === '' ? [] : (JSON.parse(text) as { readonly dst?: string }[])
  return list.flatMap(({ dst }) => dst ?? [])
}
