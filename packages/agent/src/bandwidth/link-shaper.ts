import {
  isIfb,
  isShaped,
  type LinkShaping,
  linkShaping,
  type Qdisc,
  redirectsIn,
  type ShapedLink,
  shapingHandle,
  shapingLines,
} from '@berth/core'
import { type Exec, mustRun } from '../network/run-command.ts'

/** What the kernel has of links and queues at one moment. */
export interface ShapingState {
  /** Of this network namespace: names by number. */
  readonly links: ReadonlyMap<number, string>
  readonly qdiscs: readonly Qdisc[]
  /** Devices that what comes in by some link is sent on to. */
  readonly redirects: readonly string[]
}

interface IpLink {
  readonly ifindex: number
  readonly ifname: string
  /** Number of the other end, in its own namespace. */
  readonly link_index?: number
  readonly addr_info?: readonly { readonly local: string }[]
}

export async function readShaping(exec: Exec, signal?: AbortSignal): Promise<ShapingState> {
  const [ip, tc] = await Promise.all([
    mustRun(exec, 'ip', ['-json', 'link', 'show'], { signal }),
    mustRun(exec, 'tc', ['-json', 'qdisc', 'show'], { signal }),
  ])
  const qdiscs = parseList<Qdisc>(tc)
  const redirects = await readRedirects(exec, ingressLinks(qdiscs), signal)
  return { links: new Map(parseList<IpLink>(ip).map((each) => [each.ifindex, each.ifname])), qdiscs, redirects }
}

const ingressLinks = (qdiscs: readonly Qdisc[]): string[] =>
  qdiscs.flatMap(({ kind, dev }) => (kind === 'ingress' ? [dev] : []))

/** A link may go at any moment; then the others are shown all the same. */
async function readRedirects(exec: Exec, links: readonly string[], signal?: AbortSignal): Promise<string[]> {
  if (links.length === 0) return []
  const input = links.map((link) => `filter show dev ${link} ingress\n`).join('')
  const { stdout } = await exec('tc', ['-force', '-batch', '-'], { input, signal })
  return redirectsIn(stdout)
}

/**
 * The host's end of the veth by which a container has an address: whatever made it, a bridge's port or a link with a route of its own. undefined: the
 * process is gone, or has no such address, or not by a veth.
 */
export async function findLink(
  exec: Exec,
  pid: number,
  address: string,
  { links }: ShapingState,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const inside = ['-t', String(pid), '-n', 'ip', '-json', 'address', 'show']
  const { code, stdout } = await exec('nsenter', inside, { signal })
  if (code !== 0) return undefined
  const own = parseList<IpLink>(stdout).find((each) => each.addr_info?.some(({ local }) => local === address))
  return own?.link_index === undefined ? undefined : links.get(own.link_index)
}

/** Throws `network.command-failed` with what the kernel does not take. */
export async function shapeLink(
  exec: Exec,
  shaped: ShapedLink,
  found: LinkShaping,
  state: ShapingState,
  signal?: AbortSignal,
): Promise<void> {
  const { ifb, limits } = shaped
  if (limits.outBitsPerSecond !== undefined) {
    const isThere = [...state.links.values()].includes(ifb)
    if (!isThere) await mustRun(exec, 'ip', ['link', 'add', ifb, 'type', 'ifb'], { signal })
    await mustRun(exec, 'ip', ['link', 'set', ifb, 'up'], { signal })
  }
  const lines = shapingLines(shaped, found)
  if (lines.length > 0) await mustRun(exec, 'tc', ['-batch', '-'], { input: `${lines.join('\n')}\n`, signal })
}

export const isLinkShaped = (shaped: ShapedLink, state: ShapingState): boolean =>
  isShaped(shaped, linkShaping(shaped, state.qdiscs, state.redirects))

/** Takes away what is ours on links, and devices, that nobody needs any more. What is sent on to a device goes before it. */
export async function sweepShaping(
  exec: Exec,
  wanted: readonly ShapedLink[],
  state: ShapingState,
  signal?: AbortSignal,
): Promise<void> {
  const devices = new Set(wanted.flatMap(({ ifb, limits }) => (limits.outBitsPerSecond === undefined ? [] : [ifb])))
  const links = new Set(wanted.map(({ link }) => link))
  const isLost = (name: string): boolean => isIfb(name) && !devices.has(name)
  for (const link of state.redirects.some(isLost) ? ingressLinks(state.qdiscs) : []) {
    const redirects = await readRedirects(exec, [link], signal)
    if (redirects.some(isLost))
      await exec('tc', ['filter', 'del', 'dev', link, 'ingress', 'protocol', 'all', 'prio', '1'], { signal })
  }
  for (const { dev, handle, kind } of state.qdiscs)
    if (kind === 'tbf' && handle === shapingHandle && !links.has(dev) && !isIfb(dev))
      await exec('tc', ['qdisc', 'del', 'dev', dev, 'root'], { signal })
  for (const name of state.links.values()) if (isLost(name)) await exec('ip', ['link', 'del', name], { signal })
}

/** Of a machine that is to know nothing of us any more. */
export async function removeShaping(exec: Exec, signal?: AbortSignal): Promise<void> {
  await sweepShaping(exec, [], await readShaping(exec, signal), signal)
}

const parseList = <Item>(text: string): Item[] => (text.trim() === '' ? [] : (JSON.parse(text) as Item[]))
