import {
  containsAddress,
  flatBridgeOf,
  linkOf,
  type NodeLan,
  nodeLinkNetwork,
  nodeLinkRange,
  parseBlock,
} from '@berth/core'
import type { NetworkInspectInfo } from '../docker-network-calls.ts'

/** Marks Docker networks of the machines' own as made by the agent: only these are changed or removed. */
export const lanLabel = 'berth.lan'
/** The alias of links that the agent has made. */
export const ownAlias = 'berth'

const bridgeOption = (name: string): string => `com.docker.network.bridge.${name}`
export const bridgeNameOption = bridgeOption('name')
/** Since 28 Docker keeps others from ports that are not published, unless it is told. */
const directAccessEngine = 28

/** What else must be known where a network is flat. */
export interface FlatPart {
  /** The machine's own address in the subnet, which its bridge has. */
  readonly own: string
  readonly engineMajor: number
}

/** What `docker network create` is told. */
export const lanOptions = (lan: NodeLan, flat?: FlatPart): object => ({
  Name: lan.name,
  Driver: flat === undefined ? 'macvlan' : 'bridge',
  IPAM: { Driver: 'default', Config: [flat === undefined ? addressesOf(lan) : flatAddressesOf(lan, flat)] },
  Options: flat === undefined ? { parent: linkOf(lan), macvlan_mode: 'bridge' } : flatOptions(lan, flat),
  Labels: { [lanLabel]: 'node' },
})

/** Of links between the node and its containers that are in such networks alone; netd makes them. */
export const nodeLinkOptions = {
  Name: nodeLinkNetwork,
  Driver: 'berth',
  IPAM: { Driver: 'berth', Config: [{ Subnet: nodeLinkRange }] },
  Labels: { [lanLabel]: 'link' },
}

const addressesOf = ({ subnet, slice, gateway }: NodeLan): object => ({
  ...{ Subnet: subnet, IPRange: slice },
  ...(gateway === undefined ? {} : { Gateway: gateway }),
})

/** Docker's gateway is what the bridge has; where containers send what goes elsewhere is said beside it. */
const flatAddressesOf = ({ subnet, slice, gateway }: NodeLan, { own }: FlatPart): object => ({
  ...{ Subnet: subnet, IPRange: slice, Gateway: own },
  ...(gateway === undefined || gateway === own ? {} : { AuxiliaryAddresses: { DefaultGatewayIPv4: gateway } }),
})

const flatOptions = (lan: NodeLan, { engineMajor }: FlatPart): object => ({
  [bridgeNameOption]: flatBridgeOf(lan),
  [bridgeOption('enable_ip_masquerade')]: 'false',
  ...(engineMajor >= directAccessEngine ? { [bridgeOption('gateway_mode_ipv4')]: 'nat-unprotected' } : {}),
})

/** What is other than it is to be, as the end of a sentence; undefined: nothing. `own`: of a flat one. */
export function lanDifference(found: NetworkInspectInfo, lan: NodeLan, own?: string): string | undefined {
  const driver = lan.mode === 'flat' ? 'bridge' : 'macvlan'
  if (found.Driver !== driver) return `has the driver ${found.Driver}`
  const wanted = lan.mode === 'flat' ? flatBridgeOf(lan) : linkOf(lan)
  const link = found.Options?.[lan.mode === 'flat' ? bridgeNameOption : 'parent']
  if (link !== wanted) return `hangs on ${link ?? 'no interface'}, not on ${wanted}`
  const [config] = found.IPAM?.Config ?? []
  if (config?.Subnet !== lan.subnet) return `holds ${config?.Subnet ?? 'no subnet'}, not ${lan.subnet}`
  if (config.IPRange !== lan.slice) return `gives addresses of ${config.IPRange ?? 'all of it'}, not of ${lan.slice}`
  // Without a router Docker notes down an address of its choice.
  const gateway = lan.mode === 'flat' ? own : lan.gateway
  if (gateway !== undefined && config.Gateway !== gateway)
    return `has the gateway ${config.Gateway ?? 'none'}, not ${gateway}`
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
