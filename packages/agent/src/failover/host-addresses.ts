import { isWithin } from '@berth/core'
import { type Exec, mustRun } from '../network/run-command.ts'

export interface HostAddress {
  readonly device: string
  readonly address: string
  readonly prefix: number
}

interface AddressOutput {
  readonly ifname: string
  readonly addr_info?: readonly { readonly local?: string; readonly prefixlen: number; readonly family: string }[]
}

/** All that this machine has, of both families. */
export async function readHostAddresses(exec: Exec, signal?: AbortSignal): Promise<HostAddress[]> {
  const text = await mustRun(exec, 'ip', ['-json', 'address', 'show'], { signal })
  const links = text.trim() === '' ? [] : (JSON.parse(text) as AddressOutput[])
  return links.flatMap(({ ifname: device, addr_info = [] }) =>
    addr_info.flatMap(({ local, prefixlen: prefix, family }) =>
      local === undefined || !family.startsWith('inet') ? [] : { device, address: local, prefix },
    ),
  )
}

/** Of Docker's and ours: what is on their networks is on this machine alone. */
const inside = /^(lo$|berth|docker|br-|veth)/

/** By which interface the address would be on a network of this machine; the nearest, where there are several. */
export function deviceFor(address: string, all: readonly HostAddress[]): string | undefined {
  const fits = all.filter(
    (each) =>
      !inside.test(each.device) &&
      each.prefix < (each.address.includes(':') ? 128 : 32) &&
      isWithin(address, `${each.address}/${each.prefix}`),
  )
  return fits.toSorted((a, b) => b.prefix - a.prefix)[0]?.device
}
