import type { InstanceShare } from '../model/instance-share.ts'
import { isServing, mayServe, type ObservedInstance } from './pool-snapshot.ts'

/** What a stage of a rollout says of one entrypoint. */
export interface StageGoal {
  /** What this stage and those before it say of how many are new: the most of it holds. */
  readonly shares: readonly InstanceShare[]
  /** How many of the old release were wanted; undefined: as many as are wanted now. */
  readonly oldWanted?: number
  /** Nodes on which it replaces: what is elsewhere stays. Absent: on any. */
  readonly at?: ReadonlySet<string>
  /** All old ones stay beside the new. */
  readonly beside?: boolean
  readonly from: { readonly release: string; readonly generation: number }
}

export interface StageBounds {
  /** New ones, neither more nor fewer. */
  readonly target: number
  /** Old ones that go on serving beside them; those that are missing are made anew. */
  readonly kept: number
  /** At least so many serve, before what may be missing is taken off. */
  readonly needed: number
}

/** Without a stage all are to be new. */
export function stageBounds(stage: StageGoal | undefined, wanted: number): StageBounds {
  if (stage === undefined) return { target: wanted, kept: 0, needed: wanted }
  const target = Math.min(wanted, Math.max(0, ...stage.shares.map((share) => sharedCount(share, wanted))))
  const old = Math.min(wanted, stage.oldWanted ?? wanted)
  const kept = stage.beside === true ? old : Math.max(0, old - target)
  return { target, kept, needed: Math.min(wanted, target + kept) }
}

/** Where new ones stay although by now fewer of them would do: their places were given to them. */
export function withAtLeast({ target, kept, needed }: StageBounds, good: number, wanted: number): StageBounds {
  const more = Math.min(wanted, Math.max(target, good))
  return { target: more, kept: Math.max(0, kept - (more - target)), needed }
}

/** Rounded up: a share of anything shows at least one. */
const sharedCount = (share: InstanceShare, wanted: number): number =>
  typeof share === 'number' ? share : Math.ceil((wanted * share.percent) / 100)

/** Of the old ones those that a stage keeps: first those that surely serve, then those that would have left last. */
export function keptOnes(
  stage: StageGoal | undefined,
  count: number,
  olds: readonly ObservedInstance[],
  rank: (each: ObservedInstance) => number = () => 0,
): readonly ObservedInstance[] {
  if (stage === undefined || count === 0) return []
  const mayStay = olds.filter(
    ({ instance, moves, resize }) =>
      instance.generation === stage.from.generation && moves === undefined && resize?.refused === undefined,
  )
  const elsewhere = ({ instance }: ObservedInstance): number => Number(stage.at?.has(instance.node ?? '') !== true)
  const worth = (each: ObservedInstance): number => Number(mayServe(each)) + Number(isServing(each))
  return mayStay
    .toSorted(
      (a, b) =>
        elsewhere(b) - elsewhere(a) ||
        rank(b) - rank(a) ||
        worth(b) - worth(a) ||
        b.instance.ordinal - a.instance.ordinal,
    )
    .slice(0, count)
}
