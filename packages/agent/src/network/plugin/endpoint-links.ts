import { access, readdir, writeFile } from 'node:fs/promises'
import { addressOfRoutedLink, BerthError, macOf, routedGateway, routedGateway6 } from '@berth/core'
import { hasLoopbackAddress, singleOf } from '../loopback-address.ts'
import { routedProtocol } from '../route-protocol.ts'
import type { Exec } from '../run-command.ts'
import type { EndpointRecord } from './endpoint-records.ts'

/** What an endpoint's link is made with besides its own record. */
export interface LinkSettings {
  readonly mtu: number
  /** Source address of what the node itself sends to the container. */
  readonly source: string
  /** The same of IPv6. */
  readonly source6?: string | undefined
}

/** The kernel's part of endpoints. */
export interface EndpointLinks {
  /** Makes link, route and neighbour entry. False, and nothing has changed, when there is a link of that name. Throws `network.command-failed`. */
  make(record: EndpointRecord, settings: LinkSettings): Promise<boolean>
  /** Does nothing when there is none. */
  remove(link: string): Promise<void>
  /** Whether there is a link of that name on the host, by either end. */
  exists(link: string): Promise<boolean>
  /** The hosts' ends of all. */
  list(): Promise<readonly string[]>
}

/** Not by /sys, which shows the network namespace that it was mounted in. */
const linksPath = (family: 'ipv4' | 'ipv6'): string => `/proc/sys/net/${family}/conf`
const settingPath = (family: 'ipv4' | 'ipv6', link: string, name: string): string =>
  `${linksPath(family)}/${link}/${name}`

export function createEndpointLinks(exec: Exec): EndpointLinks {
  return {
    async make(record, settings) {
      const batch = (commands: readonly string[]) =>
        exec('ip', ['-batch', '-'], { input: commands.map((each) => `${each}\n`).join('') })
      const giveUp = async (stderr: string): Promise<never> => {
        await exec('ip', ['link', 'delete', record.link])
        throw new BerthError('network.command-failed', `make the link ${record.link}: ${stderr.trim()}`)
      }
      const { code, stderr } = await batch(linkCommands(record, settings))
      if (code !== 0) {
        if (/File exists/.test(stderr) && /Command failed -:1\b/.test(stderr)) return false
        await giveUp(stderr)
      }
      await writeFile(settingPath('ipv4', record.link, 'rp_filter'), '1')
      // Others may have told the kernel not to answer by new links for addresses of others.
      await writeFile(settingPath('ipv4', record.link, 'arp_ignore'), '0')
      const commands6 = linkCommands6(record, settings)
      if (commands6.length === 0) {
        // Where the kernel has no IPv6 there is nothing to turn off.
        await writeFile(settingPath('ipv6', record.link, 'disable_ipv6'), '1').catch(() => undefined)
        return true
      }
      // It may be off for new links. A container is no router that the node would listen to.
      await writeFile(settingPath('ipv6', record.link, 'accept_ra'), '0')
      await writeFile(settingPath('ipv6', record.link, 'disable_ipv6'), '0')
      const second = await batch(commands6)
      if (second.code !== 0) await giveUp(second.stderr)
      return true
    },

    async remove(link) {
      if (!(await exists(link))) return
      const { code, stderr } = await exec('ip', ['link', 'delete', link])
      if (code === 0 || /Cannot find device/.test(stderr)) return
      throw new BerthError('network.command-failed', `remove the link ${link}: ${stderr.trim()}`)
    },

    exists,

    async list() {
      return (await readdir(linksPath('ipv4'))).filter((name) => addressOfRoutedLink(name) !== undefined)
    },
  }
}

const exists = (link: string): Promise<boolean> =>
  access(settingPath('ipv4', link, 'forwarding')).then(
    () => true,
    () => false,
  )

/**
 * For `ip -batch`, which ends at the first that fails. The link comes first: it is what decides whether the address is free. The
 * addresses that containers and the node talk with are the agent's to keep, but a container may be first after a reboot.
 */
export function linkCommands(
  { addresses, address6, link, peer, mac }: EndpointRecord,
  { mtu, source }: LinkSettings,
): string[] {
  const missing = [routedGateway, source].filter((address) => !hasLoopbackAddress(address))
  return [
    `link add ${link} mtu ${mtu} address ${macOf(routedGateway)} type veth peer name ${peer} mtu ${mtu} address ${mac}`,
    ...missing.map((address) => `address replace ${address}/32 dev lo scope host`),
    // Its gateway is all that it has of IPv6.
    ...(address6 === undefined ? [] : [`link set ${link} addrgenmode none`]),
    `link set ${link} up`,
    ...addresses.flatMap((address) => [
      `route replace ${address}/32 dev ${link} scope link src ${source} proto ${routedProtocol}`,
      `neigh replace ${address} lladdr ${mac} dev ${link} nud permanent`,
    ]),
  ]
}

/**
 * What is added where the container has IPv6 as well: its gateway on this link, its route, and its neighbour entry, so that nobody has to be
 * asked. None of them is another's: the kernel is told not to look for duplicates.
 */
export function linkCommands6({ address6, link, mac }: EndpointRecord, { source6 }: LinkSettings): string[] {
  if (address6 === undefined || source6 === undefined) return []
  return [
    ...(hasLoopbackAddress(source6) ? [] : [`address replace ${singleOf(source6)} dev lo nodad`]),
    `address replace ${routedGateway6}/64 dev ${link} nodad`,
    `route replace ${address6}/128 dev ${link} src ${source6} proto ${routedProtocol}`,
    `neigh replace ${address6} lladdr ${mac} dev ${link} nud permanent`,
  ]
}
