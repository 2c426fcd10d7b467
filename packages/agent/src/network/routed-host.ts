import { readFile } from 'node:fs/promises'
import {
  addressOfRoutedLink,
  BerthError,
  formatBlock,
  gatewayOf,
  isNodeLinkAddress,
  parseBlock,
  routedGateway,
  routedLinkPrefix,
} from '@berth/core'
import { type HostRoute, readLinkNames, readRoutesOf } from './host-state.ts'
import { ensureLoopbackAddress, hasLoopbackAddress, removeLoopbackAddress } from './loopback-address.ts'
import { type NetworkPlan, wholeBlocks } from './network-plan.ts'
import { routedProtocol } from './route-protocol.ts'
import { removeRoutedHost6 } from './routed-host6.ts'
import { type Exec, mustRun } from './run-command.ts'

type Signal = AbortSignal | undefined

/** True on a host that is, or was until now, in routed mode. Costs no process. */
export const isRoutedHost = (): boolean => hasLoopbackAddress(routedGateway)

/**
 * The kernel's part of routed mode that is not of one container alone: the containers' gateway and the node's own address, both on `lo`,
 * and what becomes of addresses of the block that nobody has. Routes of containers that somebody removed are made again.
 */
export async function ensureRoutedHost(exec: Exec, plan: NetworkPlan, signal: Signal): Promise<void> {
  for (const address of [routedGateway, plan.gateway])
    if (!hasLoopbackAddress(address)) await ensureLoopbackAddress(exec, address, signal)
  const links = await readLinkNames(exec, routedLinkPrefix, signal)
  const routes = await readRoutesOf(exec, routedProtocol, signal)
  for (const route of missingRoutes(plan, links, routes))
    await mustRun(exec, 'ip', ['route', 'replace', ...route], { signal })
}

const arpIgnorePath = '/proc/sys/net/ipv4/conf/all/arp_ignore'

/**
 * Containers ask for their gateway by ARP, and it is an address of `lo`, for which the kernel does not answer where it was told so (as for load
 * balancers of the kernel). No setting of a link overrules that. Throws `network.arp-ignored`.
 */
export async function requireArpAnswers(read = () => readFile(arpIgnorePath, 'utf8')): Promise<void> {
  const value = (await read()).trim()
  if (value === '0') return
  throw new BerthError(
    'network.arp-ignored',
    `containers of this node do not find their gateway, for net.ipv4.conf.all.arp_ignore is ${value}: set it to 0 (and where it is set at every boot), or choose --network bridge`,
  )
}

/** Of blocks that the node had before. */
export async function leaveOtherBlocks(exec: Exec, plan: NetworkPlan, signal: Signal): Promise<void> {
  const blocks = wholeBlocks(plan).map(formatBlock)
  for (const { type, dst } of await readRoutesOf(exec, routedProtocol, signal))
    if (type === 'unreachable' && !blocks.includes(dst)) await leaveBlock(exec, dst, signal)
}

/** Arguments of `ip route replace`, one list a route. Run again after applying, there are none. */
export function missingRoutes(plan: NetworkPlan, links: readonly string[], routes: readonly HostRoute[]): string[][] {
  const proto = ['proto', routedProtocol]
  const missing: string[][] = []
  for (const block of wholeBlocks(plan).map(formatBlock))
    if (!routes.some((route) => route.type === 'unreachable' && route.dst === block))
      missing.push(['unreachable', block, ...proto])
  for (const link of links) {
    const address = addressOfRoutedLink(link)
    if (address === undefined || routes.some((route) => route.dst === address && route.dev === link)) continue
    missing.push([
      `${address}/32`,
      'dev',
      link,
      'scope',
      'link',
      'src',
      isNodeLinkAddress(address) ? routedGateway : plan.gateway,
      ...proto,
    ])
  }
  return missing
}

/** Takes all of it away, links of containers that are gone included. */
export async function removeRoutedHost(exec: Exec, signal: Signal): Promise<void> {
  if (!isRoutedHost()) return
  for (const link of await readLinkNames(exec, routedLinkPrefix, signal))
    if (addressOfRoutedLink(link) !== undefined) await mustRun(exec, 'ip', ['link', 'delete', link], { signal })
  for (const { type, dst } of await readRoutesOf(exec, routedProtocol, signal))
    if (type === 'unreachable') await leaveBlock(exec, dst, signal)
  await removeRoutedHost6(exec, signal)
  await removeLoopbackAddress(exec, routedGateway, signal)
}

/** Its route, and the node's own address in it, which from then on a bridge has, or nobody. */
async function leaveBlock(exec: Exec, block: string, signal: Signal): Promise<void> {
  await mustRun(exec, 'ip', ['route', 'delete', 'unreachable', block, 'proto', routedProtocol], { signal })
  const address = gatewayOf(parseBlock(block))
  const { stdout } = await exec('ip', ['-4', '-oneline', 'address', 'show', 'dev', 'lo', 'to', `${address}/32`], {
    signal,
  })
  if (stdout.trim() !== '') await removeLoopbackAddress(exec, address, signal)
}
