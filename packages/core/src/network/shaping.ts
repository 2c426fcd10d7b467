import type { BandwidthLimits } from '../model/assignment.ts'

/**
 * How limits of bandwidth are told to the kernel. What comes to an instance leaves the host by the host's end of its veth: a token bucket there
 * holds it back. What it sends comes in by that end, where nothing can be held back: it is sent on to a device of its own (`ifb`), whose
 * bucket does it. Pure: text for `tc -batch`, and from what `tc` shows.
 */
export interface ShapedLink {
  /** The host's end of the veth. */
  readonly link: string
  /** Its instance's own device, see {@link ifbOf}. */
  readonly ifb: string
  readonly limits: BandwidthLimits
}

/** Marks what is ours among queueing disciplines. */
export const shapingHandle = 'be:'

const ifbPattern = /^bw[0-9a-f]{12}$/

/** One for each container: where it is started again, its veth is another, and this one is not. */
export const ifbOf = (containerId: string): string => `bw${containerId.slice(0, 12)}`
export const isIfb = (name: string): boolean => ifbPattern.test(name)

/** What may come at once: ten milliseconds' worth, and never less than two of the large packets that the kernel passes on in one piece. */
export const burstBytes = (bitsPerSecond: number): number => Math.max(131_072, Math.ceil(bitsPerSecond / 800))
/** What waits, before anything is dropped: a twentieth of a second's worth. */
export const queueBytes = (bitsPerSecond: number): number => Math.max(131_072, Math.ceil(bitsPerSecond / 160))

/** Lines for `tc -batch`: may be carried out again, and change a limit while packets flow. The device of what it sends has to be there. */
export function shapingLines({ link, ifb, limits }: ShapedLink, found: LinkShaping): string[] {
  const { inBitsPerSecond, outBitsPerSecond } = limits
  const lines: string[] = []
  if (inBitsPerSecond !== undefined) lines.push(bucketLine(link, inBitsPerSecond))
  else if (found.inBitsPerSecond !== undefined) lines.push(`qdisc del dev ${link} root`)
  if (outBitsPerSecond !== undefined)
    lines.push(
      bucketLine(ifb, outBitsPerSecond),
      ...(found.hasIngress ? [] : [`qdisc add dev ${link} ingress`]),
      `filter replace dev ${link} ingress protocol all prio 1 handle 800::1 u32 match u32 0 0 action mirred egress redirect dev ${ifb}`,
    )
  else if (found.redirectsTo === ifb) lines.push(`filter del dev ${link} ingress protocol all prio 1`)
  return lines
}

const bucketLine = (device: string, bitsPerSecond: number): string =>
  `qdisc replace dev ${device} root handle ${shapingHandle} tbf rate ${bitsPerSecond}bit burst ${burstBytes(bitsPerSecond)}b limit ${queueBytes(bitsPerSecond)}b`

/** What the kernel has of that for one link. */
export interface LinkShaping {
  readonly inBitsPerSecond?: number
  readonly hasIngress: boolean
  /** Where what comes in by it is sent on to. */
  readonly redirectsTo?: string
  /** Of the device for what it sends. */
  readonly outBitsPerSecond?: number
}

/** As `tc -json -statistics qdisc show` prints them. */
export interface Qdisc {
  readonly kind: string
  readonly handle: string
  readonly dev: string
  /** Packets that it had no room for. */
  readonly drops?: number
  readonly options?: { readonly rate?: number }
}

/** `redirects`: devices that the link's filters name. */
export function linkShaping(
  { link, ifb }: Pick<ShapedLink, 'link' | 'ifb'>,
  qdiscs: readonly Qdisc[],
  redirects: readonly string[],
): LinkShaping {
  const rateOf = (device: string): number | undefined => bucketOf(device, qdiscs)?.options?.rate
  const [into, out] = [rateOf(link), rateOf(ifb)]
  const redirectsTo = redirects.find((name) => name === ifb) ?? redirects[0]
  return {
    hasIngress: qdiscs.some((each) => each.dev === link && each.kind === 'ingress'),
    ...(into === undefined ? {} : { inBitsPerSecond: into * 8 }),
    ...(out === undefined ? {} : { outBitsPerSecond: out * 8 }),
    ...(redirectsTo === undefined ? {} : { redirectsTo }),
  }
}

/** What the queues of a link's limits dropped since they were made. */
export function queueDrops(
  { link, ifb }: Pick<ShapedLink, 'link' | 'ifb'>,
  qdiscs: readonly Qdisc[],
): { readonly in: number; readonly out: number } {
  const dropsOf = (device: string): number => bucketOf(device, qdiscs)?.drops ?? 0
  return { in: dropsOf(link), out: dropsOf(ifb) }
}

const bucketOf = (device: string, qdiscs: readonly Qdisc[]): Qdisc | undefined =>
  qdiscs.find((each) => each.dev === device && each.kind === 'tbf' && each.handle === shapingHandle)

/** Whether the kernel has what is wanted; it counts in whole bytes. */
export function isShaped({ ifb, limits }: Pick<ShapedLink, 'ifb' | 'limits'>, found: LinkShaping): boolean {
  const isRate = (wanted: number | undefined, has: number | undefined): boolean =>
    wanted === undefined ? has === undefined : has !== undefined && Math.abs(wanted - has) < 16
  const { inBitsPerSecond, outBitsPerSecond } = limits
  if (!isRate(inBitsPerSecond, found.inBitsPerSecond)) return false
  if (outBitsPerSecond === undefined) return found.redirectsTo !== ifb
  return found.redirectsTo === ifb && isRate(outBitsPerSecond, found.outBitsPerSecond)
}

/** Devices that filters in the text of `tc filter show` send on to. */
export const redirectsIn = (text: string): string[] =>
  [...text.matchAll(/Egress Redirect to device ([^)\s]+)\)/g)].map(([, name]) => name!)
