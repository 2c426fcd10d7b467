import { publishedPortsTable, publishingTable } from '@berth/core'
import { type Exec, mustRun } from '../network/run-command.ts'

/** The node's ends of links by which it gets to these addresses, each once. One that it has no way to has none. */
export async function linksTo(exec: Exec, addresses: readonly string[], signal?: AbortSignal): Promise<string[]> {
  const found = await Promise.all(
    [...new Set(addresses)].map(async (address) => {
      const { code, stdout } = await exec('ip', ['-json', 'route', 'get', address], { signal })
      const [route] = code === 0 ? (JSON.parse(stdout) as { readonly dev?: string }[]) : []
      return route?.dev === undefined ? [] : [route.dev]
    }),
  )
  return [...new Set(found.flat())].sort()
}

/** Lets the kernel send to the link from loopback addresses, and take the answers. */
export const openToLoopback = (exec: Exec, link: string, signal?: AbortSignal): Promise<string> =>
  mustRun(exec, 'sysctl', ['-q', '-w', `${settingOf(link)}=1`], { signal })

/**
 * Not any more. Ports that netd publishes in routed mode need the same of their links, and while there are any, its own rules keep containers from
 * loopback addresses. A link that is gone needs nothing.
 */
export async function closeToLoopback(exec: Exec, links: readonly string[], signal?: AbortSignal): Promise<void> {
  if (links.length === 0) return
  const isNeeded = (await exec('nft', ['list', 'table', ...publishedPortsTable.split(' ')], { signal })).code === 0
  for (const link of isNeeded ? [] : links) await exec('sysctl', ['-q', '-e', '-w', `${settingOf(link)}=0`], { signal })
}

/** By slashes, since a link's name may have a dot in it. */
const settingOf = (link: string): string => `net/ipv4/conf/${link}/route_localnet`

/** Links whose containers the table in force keeps from loopback addresses. */
export async function guardedLinks(exec: Exec, signal?: AbortSignal): Promise<readonly string[]> {
  const { code, stdout } = await exec('nft', ['list', 'table', 'inet', publishingTable], { signal })
  if (code !== 0) return []
  return [...new Set([...stdout.matchAll(/iifname "([^"]+)" ip [sd]addr 127/g)].map(([, link = '']) => link))]
}

/** IPv4 addresses of the node. */
export async function ownAddresses(exec: Exec, signal?: AbortSignal): Promise<string[]> {
  const text = await mustRun(exec, 'ip', ['-json', '-4', 'address', 'show'], { signal })
  const links = JSON.parse(text.trim() === '' ? '[]' : text) as {
    readonly addr_info?: readonly { readonly local?: string }[]
  }[]
  return links.flatMap(({ addr_info = [] }) => addr_info.flatMap(({ local }) => local ?? []))
}
