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
  // By slashes, since a link's name may have a dot in it.
  mustRun(exec, 'sysctl', ['-q', '-w', `net/ipv4/conf/${link}/route_localnet=1`], { signal })

/** IPv4 addresses of the node. */
export async function ownAddresses(exec: Exec, signal?: AbortSignal): Promise<string[]> {
  const text = await mustRun(exec, 'ip', ['-json', '-4', 'address', 'show'], { signal })
  const links = JSON.parse(text.trim() === '' ? '[]' : text) as {
    readonly addr_info?: readonly { readonly local?: string }[]
  }[]
  return links.flatMap(({ addr_info = [] }) => addr_info.flatMap(({ local }) => local ?? []))
}
