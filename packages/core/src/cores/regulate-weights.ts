import { clampShares, sharesOf } from './kernel-grant.ts'

/** One owner of a fragment over the last interval. */
export interface FragmentUse {
  readonly instance: string
  /** What it is guaranteed altogether, whole cores and fragment. */
  readonly promisedMilli: number
  readonly fragmentMilli: number
  readonly usedMilli: number
  /** Part of the interval in which something of it was ready to run and had no core, 0 … 1. */
  readonly waiting: number
  /** The weight in force. */
  readonly shares: number
}

export interface Regulation {
  /** The weights to set, by instance; those that stay are left out. */
  readonly shares: ReadonlyMap<string, number>
  /** Who wants its promise and does not get it although others get more of theirs. */
  readonly starving: readonly string[]
}

/** A thread that waits less than this part of the time is only scheduled, not kept waiting. */
const waitsFrom = 0.05
/** What is missing of a promise is only then a matter of weights when it is more than this… */
const shortage = 0.03
/** …and somebody else on the core gets so much more of its own. */
const advantage = 0.04
/** A weight changes by no more than this factor in a step, and not at all for less than the second. */
const maxStep = 1.25
const minStep = 1.02
/** How hard a shortage is answered: use grows by less than a weight does. */
const gain = 0.6
/** Above all of an instance's CPU and below its fragment's alone there is nothing to be gained. */
const widest = 4
/** With nobody waiting a weight goes back to where it started by this factor a step. */
const calming = 1.05

/**
 * One step of keeping the promises on one shared core: the weights of those who want what was promised to them are moved so that each gets the
 * same part of its promise. Who does not want more than it has is left alone. With nobody starving nothing changes, and with nobody waiting weights return slowly
 * to the start, so that one neighbour's habits do not follow another.
 *
 * A weight belongs to a whole container and the kernel decides on which cores it counts, so what is missing on the shared core is seen in the total:
 * cores of its own are always the instance's.
 */
export function regulateWeights(fragments: readonly FragmentUse[]): Regulation {
  const wanting = fragments.filter(({ waiting }) => waiting >= waitsFrom)
  const most = Math.max(...fragments.map(degree))
  const starving = wanting.filter((each) => degree(each) < 1 - shortage && most - degree(each) > advantage)
  if (starving.length > 0) {
    return { shares: levelled(fragments, wanting), starving: starving.map(({ instance }) => instance) }
  }
  return { shares: wanting.length > 0 ? new Map() : calmed(fragments), starving: [] }
}

/**
 * How far a promise is kept; 1 is just so. What is missing is a part of the whole promise. What is too much can only come from the shared core, so
 * it is a part of the fragment: a tenth of a core more is nothing to who has eight of its own, and half of what its neighbour has.
 */
function degree({ usedMilli, promisedMilli, fragmentMilli }: FragmentUse): number {
  const surplus = usedMilli - promisedMilli
  return surplus > 0 ? 1 + surplus / Math.max(1, fragmentMilli) : usedMilli / Math.max(1, promisedMilli)
}

/** Everybody who wants more, and everybody who has more than was promised, moves towards the same degree. */
function levelled(fragments: readonly FragmentUse[], wanting: readonly FragmentUse[]): Map<string, number> {
  const involved = fragments.filter((each) => wanting.includes(each) || degree(each) > 1)
  const used = involved.reduce((sum, { usedMilli }) => sum + usedMilli, 0)
  const promised = involved.reduce((sum, each) => sum + each.promisedMilli, 0)
  // Less than 1 where the rest of the machine takes part of the core: nobody can then have all.
  const level = Math.min(1, used / Math.max(1, promised))
  return changes(involved, (each) => {
    const factor = (level / Math.max(degree(each), 0.01)) ** gain
    return each.shares * Math.min(maxStep, Math.max(1 / maxStep, factor))
  })
}

const calmed = (fragments: readonly FragmentUse[]): Map<string, number> =>
  changes(fragments, ({ shares, promisedMilli }) => {
    const start = sharesOf(promisedMilli)
    return shares > start ? Math.max(start, shares / calming) : Math.min(start, shares * calming)
  })

function changes(fragments: readonly FragmentUse[], next: (each: FragmentUse) => number): Map<string, number> {
  const changed = new Map<string, number>()
  for (const each of fragments) {
    const shares = bounded(each, next(each))
    const ratio = shares / each.shares
    const isStart = shares === sharesOf(each.promisedMilli) && shares !== each.shares
    if (isStart || ratio >= minStep || ratio <= 1 / minStep) changed.set(each.instance, shares)
  }
  return changed
}

/** Whether a weight is one that regulation may have come to. */
export const isRegulated = (fragment: Pick<FragmentUse, 'promisedMilli' | 'fragmentMilli'>, shares: number): boolean =>
  bounded(fragment, shares) === shares

/** As low as its fragment alone, if all that it runs were on the shared core, and as high as four times all of its CPU. */
function bounded(
  { promisedMilli, fragmentMilli }: Pick<FragmentUse, 'promisedMilli' | 'fragmentMilli'>,
  shares: number,
): number {
  const [low, high] = [sharesOf(fragmentMilli) / 2, sharesOf(promisedMilli) * widest]
  return clampShares(Math.min(high, Math.max(low, shares)))
}
