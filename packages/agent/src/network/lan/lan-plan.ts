import { containsAddress, linkOf, type NodeLan, parseBlock } from '@berth/core'
import type { NetworkInspectInfo } from '../docker-network-calls.ts'

/** Marks Docker networks of the machines' own as made by the agent: only these are changed or removed. */
export const lanLabel = 'berth.lan'
/** The alias of links that the agent has made. */
export const ownAlias = 'berth'

/** What `docker network create` is told. */
export const lanOptions = (lan: NodeLan): object => ({
  Name: lan.name,
  Driver: 'macvlan',
  IPAM: {
    Driver: 'default',
    Config: [
      { Subnet: lan.subnet, IPRange: lan.slice, ...(lan.gateway === undefined ? {} : { Gateway: lan.gateway }) },
    ],
  },
  Options: { parent: linkOf(lan), macvlan_mode: 'bridge' },
  Labels: { [lanLabel]: 'node' },
})

/** What is other than it is to be, as the end of a sentence; undefined: nothing. */
export function lanDifference(found: NetworkInspectInfo, lan: NodeLan): string | undefined {
  if (found.Driver !== 'macvlan') return `has the driver ${found.Driver}`
  const parent = found.Options?.parent
  if (parent !== linkOf(lan)) return `hangs on ${parent ?? 'no interface'}, not on ${linkOf(lan)}`
  const [config] = found.IPAM?.Config ?? []
  if (config?.Subnet !== lan.subnet) return `holds ${config?.Subnet ?? 'no subnet'}, not ${lan.subnet}`
  if (config.IPRange !== lan.slice) return `gives addresses of ${config.IPRange ?? 'all of it'}, not of ${lan.slice}`
  // Without a router Docker notes down an address of its choice.
  if (lan.gateway !== undefined && config.Gateway !== lan.gateway)
    return `has the router ${config.Gateway ?? 'none'}, not ${lan.gateway}`
  return undefined
}

/** Makes the link of the VLAN on its parent, for `ip`, one command a list. Undefined: the parent itself is the link. */
export function vlanCommands({ parent, vlan }: Pick<NodeLan, 'parent' | 'vlan'>): readonly string[][] | undefined {
  if (vlan === undefined) return undefined
  const link = linkOf({ parent, vlan })
  return [
    ['link', 'add', 'link', parent, 'name', link, 'type', 'vlan', 'id', String(vlan)],
    ['link', 'set', 'dev', link, 'alias', ownAlias],
    ['link', 'set', 'dev', link, 'up'],
  ]
}

/** The kernel's word for a kind of link that it does not know. */
export const isUnknownKind = (said: string): boolean =>
  /unknown device type|operation not supported|protocol not supported/i.test(said)

/** An address of the machine itself that containers might be given, here or on another node. */
export const ownAddressIn = ({ range }: Pick<NodeLan, 'range'>, addresses: readonly string[]): string | undefined =>
  addresses.find((each) => containsAddress(parseBlock(range), each))
