import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { networkInterfaces } from 'node:os'
import {
  addressOfRoutedLink,
  BerthError,
  formatAddress6,
  parseBlock6,
  routedGateway6,
  routedLinkPrefix,
  twinOf,
  twinRange,
} from '@berth/core'
import { type HostRoute, readLinkNames, readRoutesOf } from './host-state.ts'
import { type NetworkPlan6, targetOf6, wholeBlocks6 } from './ipv6-plan.ts'
import { ensureLoopbackAddress, hasLoopbackAddress, removeLoopbackAddress } from './loopback-address.ts'
import { routedProtocol } from './route-protocol.ts'
import { type Exec, mustRun } from './run-command.ts'

type Signal = AbortSignal | undefined

const settingPath = (link: string, name: string): string => `/proc/sys/net/ipv6/conf/${link}/${name}`

/** Whether the kernel has IPv6 at all: else netd is not told to give it. */
export const kernelHasIpv6 = (): boolean => existsSync(settingPath('lo', 'disable_ipv6'))

/**
 * What {@link ensureRoutedHost} does, of IPv6: the node's own address on `lo`, what becomes of addresses of the block that nobody has, and of each
 * container that was given IPv6 its gateway and its route, where somebody removed them. Throws `network.no-ipv6`, `network.command-failed`.
 */
export async function ensureRoutedHost6(exec: Exec, plan: NetworkPlan6, signal: Signal): Promise<void> {
  await requireLoopback()
  if (!hasLoopbackAddress(plan.gateway)) await ensureLoopbackAddress(exec, plan.gateway, signal)
  const links = await readJoined(exec, signal)
  const interfaces = networkInterfaces()
  for (const link of links)
    if (interfaces[link]?.some(({ address }) => address === routedGateway6) !== true)
      await mustRun(exec, 'ip', ['address', 'replace', `${routedGateway6}/64`, 'dev', link, 'nodad'], { signal })
  const routes = await readRoutesOf(exec, routedProtocol, signal, '-6')
  for (const route of missingRoutes6(plan, links, routes))
    await mustRun(exec, 'ip', ['-6', 'route', 'replace', ...route], { signal })
  const blocks = wholeBlocks6(plan)
  for (const { type, dst } of routes)
    if (type === 'unreachable' && !blocks.includes(dst)) await leaveBlock6(exec, dst, signal)
}

/** The host's ends of links of containers that have IPv6: of the others it is turned off. */
async function readJoined(exec: Exec, signal: Signal): Promise<string[]> {
  const joined: string[] = []
  for (const link of await readLinkNames(exec, routedLinkPrefix, signal)) {
    if (addressOfRoutedLink(link) === undefined) continue
    if ((await readFile(settingPath(link, 'disable_ipv6'), 'utf8').catch(() => '1')).trim() === '0') joined.push(link)
  }
  return joined
}

/** Without it on `lo` the node could send nothing to its containers. */
async function requireLoopback(): Promise<void> {
  const off = await readFile(settingPath('lo', 'disable_ipv6'), 'utf8').catch(() => '0')
  if (off.trim() === '0') return
  throw new BerthError(
    'network.no-ipv6',
    'this node’s address pool has IPv6, and it is turned off on lo, where its own address is to be: sysctl -w net.ipv6.conf.lo.disable_ipv6=0 (and where it is set at every boot)',
  )
}

/** Arguments of `ip -6 route replace`, one list a route. Run again after applying, there are none. */
export function missingRoutes6(
  plan: Pick<NetworkPlan6, 'block' | 'addresses' | 'gateway' | 'twins'>,
  links: readonly string[],
  routes: readonly HostRoute[],
): string[][] {
  const proto = ['proto', routedProtocol]
  const missing: string[][] = []
  for (const block of wholeBlocks6(plan))
    if (!routes.some((route) => route.type === 'unreachable' && route.dst === block))
      missing.push(['unreachable', block, ...proto])
  const ranges = plan.twins.map(twinRange)
  for (const link of links) {
    const address = addressOfRoutedLink(link)
    const twin = address === undefined ? undefined : twinOf(ranges, address)
    if (twin === undefined) continue
    if (routes.some((route) => targetOf6(route) === `${twin}/128` && route.dev === link)) continue
    missing.push([`${twin}/128`, 'dev', link, 'src', plan.gateway, ...proto])
  }
  return missing
}

/** Takes what is not of one container away. */
export async function removeRoutedHost6(exec: Exec, signal: Signal): Promise<void> {
  if (!kernelHasIpv6()) return
  for (const { type, dst } of await readRoutesOf(exec, routedProtocol, signal, '-6'))
    if (type === 'unreachable') await leaveBlock6(exec, dst, signal)
}

/** Its route, and the node's own address in it. */
async function leaveBlock6(exec: Exec, block: string, signal: Signal): Promise<void> {
  await mustRun(exec, 'ip', ['-6', 'route', 'delete', 'unreachable', block, 'proto', routedProtocol], { signal })
  const address = formatAddress6(parseBlock6(block).base + 1n)
  if (hasLoopbackAddress(address)) await removeLoopbackAddress(exec, address, signal)
}

/** What a router says on the link of a container is not for the node to follow. */
export const ignoreRouters = async (link: string): Promise<void> => {
  if ((await readFile(settingPath(link, 'accept_ra'), 'utf8').catch(() => '0')).trim() === '0') return
  await writeFile(settingPath(link, 'accept_ra'), '0')
}
