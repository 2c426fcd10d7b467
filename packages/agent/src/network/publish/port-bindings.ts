import { isIPv4 } from 'node:net'
import { canonicalAddress, type PortProtocol } from '@berth/core'
import {
  badCall,
  notOffered,
  optionalRecord,
  optionalRecords,
  optionalText,
  type PluginBody,
} from '../plugin/plugin-call.ts'

/** What a container asks to be published. */
export interface PortBinding {
  readonly protocol: PortProtocol
  readonly hostAddress?: string
  /** Any of these will do; 0 alone: any that is free. */
  readonly hostPorts: { readonly first: number; readonly last: number }
  readonly port: number
}

const protocols: ReadonlyMap<unknown, PortProtocol> = new Map([
  [6, 'tcp'],
  [17, 'udp'],
])

/** Of a call of Docker's. Throws `plugin.not-offered`, `plugin.bad-call`. */
export const readPortBindings = (body: PluginBody): PortBinding[] =>
  optionalRecords(optionalRecord(body, 'Options'), 'com.docker.network.portmap').map(readBinding)

function readBinding(asked: PluginBody): PortBinding {
  const protocol = protocols.get(asked.Proto)
  if (protocol === undefined) throw notOffered('publishing ports of other protocols than tcp and udp')
  const first = readPort(asked, 'HostPort')
  const last = Math.max(first, readPort(asked, 'HostPortEnd'))
  const port = readPort(asked, 'Port')
  if (port === 0) throw badCall('Port has to be a port')
  return { protocol, ...readAddress(optionalText(asked, 'HostIP')), hostPorts: { first, last }, port }
}

function readPort(asked: PluginBody, field: string): number {
  const value = asked[field] ?? 0
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 65_535) return value
  throw badCall(`${field} has to be a port`)
}

function readAddress(text: string): { hostAddress?: string } {
  if (text === '' || text === '0.0.0.0') return {}
  if (isIPv4(text)) return { hostAddress: text }
  const address = canonicalAddress(text)
  if (address === undefined || /^(::|::1|fe[89ab].*)$/.test(address))
    throw notOffered(`publishing a port at ${text} (at an address of IPv4, or one of IPv6 that others reach)`)
  return { hostAddress: address }
}
