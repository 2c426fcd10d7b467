import { access, readdir, writeFile } from 'node:fs/promises'
import { addressOfRoutedLink, BerthError, macOf, routedGateway } from '@berth/core'
import { hasLoopbackAddress } from '../loopback-address.ts'
import { routedProtocol } from '../route-protocol.ts'
import type { Exec } from '../run-command.ts'
import type { EndpointRecord } from './endpoint-records.ts'

/** What an endpoint's link is made with besides its own record. */
export interface LinkSettings {
  readonly mtu: number
  /** Source address of what the node itself sends to the container. */
  readonly source: string
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
      const input = `${linkCommands(record, settings).join('\n')}\n`
      const { code, stderr } = await exec('ip', ['-batch', '-'], { input })
      if (code !== 0) {
        if (/File exists/.test(stderr) && /Command failed -:1\b/.test(stderr)) return false
        await exec('ip', ['link', 'delete', record.link])
        throw new BerthError('network.command-failed', `make the link ${record.link}: ${stderr.trim()}`)
      }
      await writeFile(settingPath('ipv4', record.link, 'rp_filter'), '1')
      // Others may have told the kernel not to answer by new links for addresses of others.
      await writeFile(settingPath('ipv4', record.link, 'arp_ignore'), '0')
      // Where the kernel has no IPv6 there is nothing to turn off.
      await writeFile(settingPath('ipv6', record.link, 'disable_ipv6'), '1').catch(() => undefined)
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
export function linkCommands({ addresses, link, peer, mac }: EndpointRecord, { mtu, source }: LinkSettings): string[] {
  const missing = [routedGateway, source].filter((address) => !hasLoopbackAddress(address))
  return [
    `link add ${link} mtu ${mtu} address ${macOf(routedGateway)} type veth peer name ${peer} mtu ${mtu} address ${mac}`,
    ...missing.map((address) => `address replace ${address}/32 dev lo scope host`),
    `link set ${link} up`,
    ...addresses.flatMap((address) => [
      `route replace ${address}/32 dev ${link} scope link src ${source} proto ${routedProtocol}`,
      `neigh replace ${address} lladdr ${mac} dev ${link} nud permanent`,
    ]),
  ]
}
