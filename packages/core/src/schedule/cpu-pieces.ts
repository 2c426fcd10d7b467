import type { NodeGroup } from '../model/node-group.ts'
import { formatCpu } from '../spec/quantities.ts'

/** How a node group gives out CPU; see `docs/design/scheduler.md`. */
export type GroupRule = Pick<NodeGroup, 'cpu' | 'shareBase' | 'maxSharedCores' | 'oversellMilli'>

/** CPU on one node: cores of one's own and at most one fragment of a shared one. */
export interface Pieces {
  readonly whole: number
  readonly fragmentMilli: number
}

export const splitCpu = (cpuMilli: number): Pieces => ({
  whole: Math.floor(cpuMilli / 1000),
  fragmentMilli: cpuMilli % 1000,
})

/** Thousandths in one piece. */
export const pieceMilli = (rule: GroupRule): number => (rule.cpu === 'bound' ? 1000 / rule.shareBase : 1)

/**
 * What `cpuMilli` of the reference machine takes on a node of this speed (1000: as fast as the reference), in whole pieces: 1.3 on a
 * node of 0.75 is 1.734, which is 1.8 in tenths.
 */
export function cpuOnNode(cpuMilli: number, speedMilli: number, rule: GroupRule): number {
  const piece = pieceMilli(rule)
  // Whole numbers only: `a + b - 1` over `b` rounds up without leaving the integers.
  const parts = Math.floor((cpuMilli * 1000 + speedMilli * piece - 1) / (speedMilli * piece))
  return parts * piece
}

/** What a shared core holds, in thousandths: its pieces times the oversell, cut to whole pieces. */
export function sharedCoreMilli(rule: GroupRule): number {
  return Math.floor((rule.shareBase * rule.oversellMilli) / 1000) * (1000 / rule.shareBase)
}

/** Where a request for CPU cannot be met by any node of the group, the sentence that says why and what could be had instead. */
export function cpuProblem(
  cpuMilli: number,
  rule: GroupRule,
  mostMilli?: number,
  mostNode?: string,
): string | undefined {
  const piece = pieceMilli(rule)
  if (Number.isNaN(cpuMilli)) return `NaN is not an amount of CPU: the least is ${formatCpu(piece)} cores`
  if (cpuMilli < 0)
    return `${decimal(cpuMilli)} cores: an amount of CPU cannot be negative; the least is ${formatCpu(piece)}`
  if (mostMilli !== undefined && cpuMilli > mostMilli) {
    const most = Math.floor(mostMilli / piece) * piece
    return `${decimal(cpuMilli)} cores are more than any node has: at most ${formatCpu(most)}${mostNode === undefined ? '' : ` (${mostNode})`}`
  }
  if (cpuMilli === 0 || cpuMilli % piece === 0) return undefined
  const below = Math.floor(cpuMilli / piece) * piece
  const nearest =
    below === 0
      ? `the least is ${formatCpu(piece)}`
      : `the nearest are ${formatCpu(below)} and ${formatCpu(below + piece)}`
  return `${decimal(cpuMilli)} cores is finer than a core is divided here (${1000 / piece} pieces): ${nearest}`
}

/** Also for what is not a whole number of thousandths, which only a mistake can be. */
const decimal = (cpuMilli: number): string =>
  Number.isInteger(cpuMilli) && cpuMilli >= 0 ? formatCpu(cpuMilli) : String(cpuMilli / 1000)
