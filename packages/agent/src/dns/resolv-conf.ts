import { type NetworkConfig, nodeDnsAddress } from '@berth/core'

/** Where netd listens on every node: link-local, so it is the same everywhere and no network of a user's collides with it. */
export const dnsAddress = nodeDnsAddress

/**
 * The container's `/etc/resolv.conf`. Three tries of a second outlast a restart of netd. Names without a dot are looked for in `search`, others are
 * asked as they are written first. With none of it `search .` keeps the libc from making a search domain of a hostname with dots.
 */
export function resolvConfFor({ domain }: Pick<NetworkConfig, 'domain'>, search: readonly string[] = []): string {
  return [
    `# Berth: this node answers for .${domain} and asks its own resolvers for everything else`,
    `nameserver ${dnsAddress}`,
    'options timeout:1 attempts:3',
    `search ${search.join(' ') || '.'}`,
    '',
  ].join('\n')
}
