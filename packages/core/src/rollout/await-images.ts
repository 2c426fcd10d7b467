import type { Rollout, RolloutFailure, RolloutImages } from '../model/index.ts'
import type { PoolGoal } from '../reconcile/plan-entrypoints.ts'
import type { ImageArrival, PoolPlan, PoolSnapshot } from '../reconcile/pool-snapshot.ts'
import { specDefaults } from '../spec/defaults.ts'

interface ImagesOutcome {
  readonly plan: PoolPlan
  readonly failure?: RolloutFailure
}

/** In the record; a sentence names fewer. */
const namedNodes = 10
const saidNodes = 3

/** Nothing of it is there yet, and its image has not been brought yet: it matters which nodes have it. */
export const needsImages = (generations: ReadonlySet<number>, rollout: Rollout): boolean =>
  rollout.state === 'running' && rollout.images?.doneAt === undefined && !generations.has(rollout.toGeneration)

/**
 * Before anything is replaced, the nodes that will need the release's image get it. Returns undefined when all of them have it: then
 * the rollout goes on in the same decision. Each one that gets it gives the others their time again.
 */
export function awaitImages(
  snapshot: PoolSnapshot,
  rollout: Rollout,
  goal: PoolGoal,
  now: number,
): ImagesOutcome | undefined {
  const { images = [], listeningSince } = snapshot
  const generations = new Set(snapshot.instances.map(({ instance }) => instance.generation))
  if (!needsImages(generations, rollout)) return undefined
  const missing = images.filter(({ state }) => state !== 'there')
  if (missing.length === 0) return rollout.images === undefined ? undefined : done(rollout, rollout.images, images, now)
  const given = missing.find(({ state }) => state === 'failed')
  if (given !== undefined) return failed(rollout, given)
  const told = tell(rollout, images, missing, now)
  const until = Math.max(told.images.changedAt, listeningSince) + timeoutOf(goal)
  const [late] = missing
  if (now >= until && late !== undefined) return failed(rollout, late, Math.round(timeoutOf(goal) / 1000))
  const isNews = JSON.stringify(told.images) !== JSON.stringify(rollout.images)
  return { plan: { steps: isNews ? [{ type: 'update-rollout', rollout: told }] : [], nextAt: until } }
}

const timeoutOf = ({ spec }: PoolGoal): number => spec?.rollout.imageTimeoutMs ?? specDefaults.rollout.imageTimeoutMs

function done(rollout: Rollout, before: RolloutImages, images: readonly ImageArrival[], now: number): ImagesOutcome {
  const all = { ...before, wanted: images.length, there: images.length, missing: [], changedAt: now, doneAt: now }
  const message = `${rollout.to}: its image is where it is needed`
  return {
    plan: { steps: [{ type: 'update-rollout', rollout: { ...rollout, images: all, message, updatedAt: now } }] },
  }
}

type Told = Rollout & { readonly images: RolloutImages }

function tell(rollout: Rollout, images: readonly ImageArrival[], missing: readonly ImageArrival[], now: number): Told {
  const before = rollout.images
  const there = images.length - missing.length
  const same = before?.there === there && before.wanted === images.length
  const record: RolloutImages = {
    ...{ wanted: images.length, there, missing: missing.slice(0, namedNodes).map(({ node }) => node) },
    since: before?.since ?? now,
    changedAt: same ? before.changedAt : now,
  }
  const message = `${rollout.to}: its image is on ${there} of ${images.length} nodes, on its way to ${names(missing)}`
  return { ...rollout, images: record, message, updatedAt: now }
}

function names(missing: readonly ImageArrival[]): string {
  const first = missing.slice(0, saidNodes).map(({ node }) => node)
  const more = missing.length - first.length
  return more === 0 ? first.join(', ') : `${first.join(', ')} and ${more} more`
}

function failed(rollout: Rollout, { node, message }: ImageArrival, seconds?: number): ImagesOutcome {
  const time = seconds === undefined ? '' : ` within ${seconds} s`
  const why = message === undefined ? '' : `: ${message}`
  const reason = `could not get the image of ${rollout.to}${time}${why}; nothing was replaced`
  return { plan: { steps: [] }, failure: { node, reason, logTail: [] } }
}
