import { type Exec, mustRun } from './run-command.ts'

/** A route of the main table, as `ip -json route` prints it. */
export interface HostRoute {
  /** Absent: unicast. */
  readonly type?: string
  /** `default`, `10.77.2.0/24` or a single address. */
  readonly dst: string
  readonly gateway?: string
  readonly dev?: string
  readonly protocol?: string
  readonly scope?: string
  readonly prefsrc?: string
}

export interface HostLink {
  readonly name: string
  readonly mtu: number
  readonly up: boolean
  /** `10.77.3.1/24` */
  readonly addresses: readonly string[]
  /** Of IPv6, but those that the kernel still has doubts about (duplicates). */
  readonly addresses6: readonly string[]
}

/** Unicast routes. */
export async function readRoutes(exec: Exec, signal?: AbortSignal): Promise<HostRoute[]> {
  const text = await mustRun(exec, 'ip', ['-json', '-4', 'route', 'show', 'table', 'main', 'type', 'unicast'], {
    signal,
  })
  return parseList<HostRoute>(text)
}

/** Unicast routes of IPv6. A kernel without it has none. */
export async function readRoutes6(exec: Exec, signal?: AbortSignal): Promise<HostRoute[]> {
  const text = await mustRun(exec, 'ip', ['-json', '-6', 'route', 'show', 'table', 'main', 'type', 'unicast'], {
    signal,
  })
  return parseList<HostRoute>(text)
}

/** Routes of every type that bear the protocol number. */
export async function readRoutesOf(
  exec: Exec,
  protocol: string,
  signal?: AbortSignal,
  family: '-4' | '-6' = '-4',
): Promise<HostRoute[]> {
  const text = await mustRun(exec, 'ip', ['-json', family, 'route', 'show', 'table', 'main', 'proto', protocol], {
    signal,
  })
  return parseList<HostRoute>(text)
}

/** Names of the host's ends of veths that begin with the prefix. */
export async function readLinkNames(exec: Exec, prefix: string, signal?: AbortSignal): Promise<string[]> {
  const text = await mustRun(exec, 'ip', ['-json', 'link', 'show', 'type', 'veth'], { signal })
  const names = parseList<{ readonly ifname?: string }>(text).map((each) => each.ifname ?? '')
  return names.filter((name) => name.startsWith(prefix))
}

/** Docker's on a bridge, the other end of which is on the host too, and so in no container. */
export async function readUnusedVeths(exec: Exec, bridge: string, signal?: AbortSignal): Promise<string[]> {
  const { code, stdout } = await exec('ip', ['-json', 'link', 'show', 'master', bridge, 'type', 'veth'], { signal })
  if (code !== 0) return []
  return parseList<VethOutput>(stdout).flatMap(({ ifname, link }) =>
    link?.startsWith(dockerVeth) && ifname.startsWith(dockerVeth) ? [ifname] : [],
  )
}

const dockerVeth = 'veth'

interface VethOutput {
  readonly ifname: string
  /** The other end's name; absent where that is in another network namespace. */
  readonly link?: string
}

/** undefined when there is no such link. */
export async function readLink(exec: Exec, name: string, signal?: AbortSignal): Promise<HostLink | undefined> {
  const { code, stdout } = await exec('ip', ['-json', 'address', 'show', 'dev', name], { signal })
  const [link] = code === 0 ? parseList<LinkOutput>(stdout) : []
  if (link === undefined) return undefined
  return {
    name,
    mtu: link.mtu,
    up: link.flags.includes('UP'),
    addresses: textsOf(link.addr_info.filter((each) => each.family === 'inet')),
    addresses6: textsOf(link.addr_info.filter((each) => each.family === 'inet6' && each.tentative !== true)),
  }
}

const textsOf = (addresses: LinkOutput['addr_info']): string[] =>
  addresses.map(({ local, prefixlen }) => `${local}/${prefixlen}`)

interface LinkOutput {
  readonly mtu: number
  readonly flags: readonly string[]
  readonly addr_info: readonly {
    readonly family: string
    readonly local: string
    readonly prefixlen: number
    readonly tentative?: boolean
  }[]
}

const parseList = <Item>(text: string): Item[] => (text.trim() === '' ? [] : (JSON.parse(text) as Item[]))
