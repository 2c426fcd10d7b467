import type { ResourceSpec } from '../model/app-spec.ts'
import { formatBandwidth, parseBandwidth } from './quantities.ts'
import type { Amount, BandwidthDocument } from './spec-document.ts'
import type { IssueList, SpecPath } from './spec-issue.ts'

type Bandwidth = Pick<
  ResourceSpec,
  'inBitsPerSecond' | 'outBitsPerSecond' | 'guaranteedInBitsPerSecond' | 'guaranteedOutBitsPerSecond'
>

export function canonicalBandwidth(
  issues: IssueList,
  path: SpecPath,
  document: BandwidthDocument | undefined,
): Bandwidth {
  const read = (at: SpecPath, value: Amount | undefined): number | undefined =>
    value === undefined ? undefined : issues.take([...path, ...at], parseBandwidth(String(value)))
  const { guaranteed } = document ?? {}
  return defined({
    inBitsPerSecond: read(['in'], document?.in),
    outBitsPerSecond: read(['out'], document?.out),
    guaranteedInBitsPerSecond: read(['guaranteed', 'in'], guaranteed?.in),
    guaranteedOutBitsPerSecond: read(['guaranteed', 'out'], guaranteed?.out),
  })
}

/** Nobody is sure of more than he may have. Asked of an environment's values together with the entrypoint's own. */
export function refuseBeyondLimit(issues: IssueList, path: SpecPath, bandwidth: Bandwidth): void {
  for (const way of ['in', 'out'] as const) {
    const { limit, guaranteed } = ofWay(bandwidth, way)
    if (limit === undefined || guaranteed === undefined || guaranteed <= limit) continue
    issues.add(
      [...path, 'guaranteed', way],
      `${formatBandwidth(guaranteed)} are more than the limit, ${formatBandwidth(limit)}`,
      { suggestion: 'raise the limit, or guarantee less', dependsOn: [[...path, way]] },
    )
  }
}

const ofWay = (
  bandwidth: Bandwidth,
  way: 'in' | 'out',
): { limit?: number | undefined; guaranteed?: number | undefined } =>
  way === 'in'
    ? { limit: bandwidth.inBitsPerSecond, guaranteed: bandwidth.guaranteedInBitsPerSecond }
    : { limit: bandwidth.outBitsPerSecond, guaranteed: bandwidth.guaranteedOutBitsPerSecond }

/** undefined: it says nothing. */
export function bandwidthToDocument(spec: Bandwidth): BandwidthDocument | undefined {
  const say = (bits: number | undefined): string | undefined => (bits === undefined ? undefined : formatBandwidth(bits))
  const guaranteed = defined({
    in: say(spec.guaranteedInBitsPerSecond),
    out: say(spec.guaranteedOutBitsPerSecond),
  })
  const document = defined({
    in: say(spec.inBitsPerSecond),
    out: say(spec.outBitsPerSecond),
    guaranteed: Object.keys(guaranteed).length === 0 ? undefined : guaranteed,
  })
  return Object.keys(document).length === 0 ? undefined : document
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

const defined = <T extends object>(value: T): Defined<T> =>
  Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as Defined<T>
