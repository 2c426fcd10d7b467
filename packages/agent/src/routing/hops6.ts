import { type BirdConfig6, containsAddress6, parseBlock6, tryParseAddress6 } from '@berth/core'
import { readRoutes } from '../network/host-state.ts'
import { linkTo, type NetworkPlan6 } from '../network/ipv6-plan.ts'
import { type Exec, mustRun } from '../network/run-command.ts'

interface LinkAddresses {
  readonly addr_info: readonly {
    readonly family: string
    readonly local: string
    readonly scope?: string
    /** Another one soon. */
    readonly temporary?: boolean
    readonly deprecated?: boolean
    readonly tentative?: boolean
  }[]
}

/** By which addresses of IPv6 this node and its neighbours are reached, as the host's links are now. */
export async function readHops6(
  exec: Exec,
  { pools, peers }: Pick<NetworkPlan6, 'pools' | 'peers'>,
  ownAddress: string,
  { signal }: { readonly signal: AbortSignal },
): Promise<Pick<BirdConfig6, 'address' | 'neighbours'>> {
  const routes4 = await readRoutes(exec, signal)
  const neighbours = peers.flatMap(({ via, via4 }) => {
    const device = linkTo(via4, routes4)
    return device === undefined ? [] : [{ address: via4, via, device }]
  })
  const links = JSON.parse(await mustRun(exec, 'ip', ['-json', 'address', 'show'], { signal })) as LinkAddresses[]
  const address = addressBeside(ownAddress, links, pools)
  return { ...(address === undefined ? {} : { address }), neighbours }
}

/** The one of IPv6 that is to stay, on the link that has this one of IPv4. */
export function addressBeside(
  ownAddress: string,
  links: readonly LinkAddresses[],
  pools: readonly string[],
): string | undefined {
  const link = links.find((each) => each.addr_info.some(({ local }) => local === ownAddress))
  const ranges = pools.map(parseBlock6)
  const isOurs = (text: string): boolean => {
    const value = tryParseAddress6(text)
    return value === undefined || ranges.some((range) => containsAddress6(range, value))
  }
  return link?.addr_info
    .filter(({ family, scope }) => family === 'inet6' && scope === 'global')
    .filter(({ temporary, deprecated, tentative }) => !(temporary || deprecated || tentative))
    .map(({ local }) => local)
    .toSorted()
    .find((each) => !isOurs(each))
}
