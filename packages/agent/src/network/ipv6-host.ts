import { readdir, readFile, writeFile } from 'node:fs/promises'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { BerthError } from '@berth/core'
import { type HostRoute, readLink, readRoutes6 } from './host-state.ts'
import { linkAddressOf, linkAddressPrefix, linkTo, type NetworkPlan6, planRoutes6 } from './ipv6-plan.ts'
import { routeProtocol } from './route-protocol.ts'
import { type Exec, mustRun } from './run-command.ts'

type Signal = AbortSignal | undefined

const settingsPath = '/proc/sys/net/ipv6/conf'
const settingPath = (link: string, name: string): string => join(settingsPath, link, name)

export interface Ipv6HostOptions {
  readonly removeAbsentPeers: boolean
  /** Blocks that routes have been learned to; undefined: none are. */
  readonly learned: ReadonlySet<string> | undefined
  readonly signal: Signal
}

/**
 * The kernel's part of IPv6 that is not of one container: forwarding, the node's link-local address towards its peers, and routes to their blocks.
 * Reads first and changes only what differs. Throws `network.no-ipv6`, `network.ipv6-off`, `network.command-failed`.
 */
export async function ensureIpv6Host(
  exec: Exec,
  plan: NetworkPlan6,
  routes4: readonly HostRoute[],
  { removeAbsentPeers, learned, signal }: Ipv6HostOptions,
): Promise<void> {
  await enableForwarding()
  for (const link of new Set(plan.peers.flatMap(({ via4 }) => linkTo(via4, routes4) ?? [])))
    await ensureLinkAddresses(exec, link, signal)
  const steps = planRoutes6(plan, { routes: await readRoutes6(exec, signal), routes4 }, removeAbsentPeers, learned)
  for (const step of steps) {
    const words = step.op === 'set' ? ['replace', ...step.route] : ['delete', step.block, 'proto', routeProtocol]
    await mustRun(exec, 'ip', ['-6', 'route', ...words], { signal })
  }
}

/** Routers listen to no other routers unless they are told to: links that have learned their way out so keep it. */
async function enableForwarding(): Promise<void> {
  const path = settingPath('all', 'forwarding')
  const value = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
    throw new BerthError(
      'network.no-ipv6',
      'this node’s address pool has IPv6, and its kernel has none (no /proc/sys/net/ipv6); boot it with IPv6 (no ipv6.disable=1)',
    )
  })
  if (value.trim() !== '0') return
  for (const link of await readdir(settingsPath)) {
    // Links of containers are made later, and what these say about the way out is not to be followed.
    if (link === 'default') continue
    const accepts = settingPath(link, 'accept_ra')
    if ((await readFile(accepts, 'utf8').catch(() => '')).trim() === '1') await writeFile(accepts, '2')
  }
  await writeFile(path, '1')
}

/** One for each of its addresses of IPv4: peers know the node by one of them. */
async function ensureLinkAddresses(exec: Exec, link: string, signal: Signal): Promise<void> {
  const off = await readFile(settingPath(link, 'disable_ipv6'), 'utf8').catch(() => '0')
  if (off.trim() !== '0')
    throw new BerthError(
      'network.ipv6-off',
      `this node’s address pool has IPv6, and it is turned off on ${link}, by which other nodes are reached: sysctl -w net.ipv6.conf.${link}.disable_ipv6=0 (and where it is set at every boot)`,
    )
  const addresses = networkInterfaces()[link] ?? []
  for (const { family, address } of addresses) {
    if (family !== 'IPv4') continue
    const wanted = linkAddressOf(address)
    if (addresses.some((each) => each.address === wanted)) continue
    await mustRun(exec, 'ip', ['-6', 'address', 'replace', `${wanted}/64`, 'dev', link, 'scope', 'link', 'nodad'], {
      signal,
    })
  }
}

/**
 * A bridge without a container has no carrier, and the kernel keeps its address waiting for one to see whether it is another's too: until then,
 * and for a second behind it, nobody could use it. Nobody else has it: the kernel is told not to look.
 */
export async function ensureBridge6(
  exec: Exec,
  bridge: string,
  { block, gateway }: NetworkPlan6,
  signal: Signal,
): Promise<void> {
  const address = `${gateway}/${block.split('/')[1]}`
  const link = await readLink(exec, bridge, signal)
  if (link?.addresses6.includes(address)) return
  await writeFile(settingPath(bridge, 'accept_dad'), '0')
  await exec('ip', ['-6', 'address', 'delete', address, 'dev', bridge], { signal })
  await mustRun(exec, 'ip', ['-6', 'address', 'add', address, 'dev', bridge, 'nodad'], { signal })
}

/** Ours alone. */
export async function removeIpv6Host(exec: Exec, signal: Signal): Promise<void> {
  const isOurs = (address: string): boolean => address.startsWith(linkAddressPrefix)
  for (const [link, addresses = []] of Object.entries(networkInterfaces()))
    for (const { address } of addresses.filter((each) => isOurs(each.address)))
      await mustRun(exec, 'ip', ['-6', 'address', 'delete', `${address}/64`, 'dev', link], { signal })
  const routes = await readRoutes6(exec, signal).catch(() => [])
  for (const { dst, protocol } of routes)
    if (protocol === routeProtocol)
      await mustRun(exec, 'ip', ['-6', 'route', 'delete', dst, 'proto', routeProtocol], { signal })
}
