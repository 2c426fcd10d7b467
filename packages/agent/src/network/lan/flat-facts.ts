import { BerthError } from '@berth/core'
import { readRoutes } from '../host-state.ts'
import type { Exec } from '../run-command.ts'
import type { FlatFacts, FlatLink, FlatRoute } from './flat-plan.ts'

interface LinkOutput {
  readonly address?: string
  readonly mtu: number
  readonly master?: string
  readonly addr_info?: readonly AddressOutput[]
}

interface AddressOutput {
  readonly family: string
  readonly local: string
  readonly prefixlen: number
  readonly broadcast?: string
  readonly scope?: string
  readonly dynamic?: boolean
  readonly valid_life_time?: number
}

/** What the kernel says of an address that stays. */
const forever = 4_294_967_295

/** Throws `network.command-failed` when there is no such link. */
export async function readFlatFacts(
  exec: Exec,
  link: string,
  bridge: string,
  signal?: AbortSignal,
): Promise<FlatFacts> {
  const routes: readonly FlatRoute[] = await readRoutes(exec, signal)
  const found = await readLink(exec, link, signal)
  if (found === undefined) throw new BerthError('network.command-failed', `read ${link}: there is no such interface`)
  const there = await readLink(exec, bridge, signal)
  const hindrance = hindranceOf(found, routes, link, bridge)
  return {
    link: { ...linkFrom(found), ...(hindrance === undefined ? {} : { hindrance }) },
    ...(there === undefined ? {} : { bridge: linkFrom(there) }),
    routes,
  }
}

async function readLink(exec: Exec, name: string, signal: AbortSignal | undefined): Promise<LinkOutput | undefined> {
  const { code, stdout } = await exec('ip', ['-json', 'address', 'show', 'dev', name], { signal })
  return code === 0 && stdout.trim() !== '' ? (JSON.parse(stdout) as LinkOutput[])[0] : undefined
}

const linkFrom = ({ address = '', mtu, master, addr_info = [] }: LinkOutput): FlatLink => ({
  ...{ mac: address, mtu },
  ...(master === undefined ? {} : { master }),
  addresses: addr_info
    .filter(({ family }) => family === 'inet')
    .map(({ local, prefixlen, broadcast }) => ({
      ...{ local, prefixlen },
      ...(broadcast === undefined ? {} : { broadcast }),
    })),
})

function hindranceOf(
  { master, addr_info = [] }: LinkOutput,
  routes: readonly FlatRoute[],
  link: string,
  bridge: string,
): string | undefined {
  if (master !== undefined && master !== bridge) return `is a part of ${master} already`
  const leased = addr_info.find(
    ({ family, dynamic, valid_life_time = forever }) =>
      family === 'inet' && (dynamic === true || valid_life_time < forever),
  )
  if (leased !== undefined)
    return `has ${leased.local} for a time only (DHCP), and would lose it on a bridge: give it an address that stays`
  const six = addr_info.find(({ family, scope }) => family === 'inet6' && scope === 'global')
  if (six !== undefined) return `has an address of IPv6 (${six.local}), which is not moved`
  if (routes.some(({ nexthops = [] }) => nexthops.some(({ dev }) => dev === link)))
    return 'is one of several ways of a route, which is not moved'
  return undefined
}
