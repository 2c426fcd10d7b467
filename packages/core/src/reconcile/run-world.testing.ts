import type { RolloutSpec } from '../model/app-spec.ts'
import { appSpec, entrypointSpec } from './pool-fixtures.testing.ts'
import { PoolWorld } from './simulate.testing.ts'

const roundMs = 200
const maxRounds = 4000
const hourMs = 3_600_000

/** Releases `v1` to `v3`, each with that many of `web`. */
export function worldWith(
  replicas: number,
  limits: Partial<Pick<RolloutSpec, 'surge' | 'unavailable' | 'settleMs'>> = {},
): PoolWorld {
  const world = new PoolWorld()
  for (const release of ['v1', 'v2', 'v3']) {
    world.specs.set(release, appSpec({ web: entrypointSpec({ replicas }) }, limits))
  }
  return world
}

/** A decision is applied, then something happens to every instance. True when there was something to do. */
export function round(world: PoolWorld, check: () => void = () => {}): boolean {
  world.place()
  const steps = world.decide()
  world.apply(steps)
  check()
  for (const id of [...world.instances.keys()]) world.advance(id)
  check()
  world.now += roundMs
  return steps.length > 0
}

/** Lets everything happen in order until nothing moves; fails when that takes too long. */
export function run(world: PoolWorld, check: () => void = () => {}): void {
  let quietRounds = 0
  for (let rounds = 0; rounds < maxRounds; rounds++) {
    const moved = round(world, check)
    const waits = (world.plan().nextAt ?? Number.POSITIVE_INFINITY) < world.now + hourMs
    quietRounds = moved || world.rollout !== undefined || waits ? 0 : quietRounds + 1
    if (quietRounds > 5) return
  }
  throw new Error(`no end: ${JSON.stringify(world.rollout)} ${JSON.stringify([...world.instances.values()])}`)
}

interface Story {
  /** Releases of which no instance gets ready. */
  readonly broken?: readonly string[]
  readonly happenings: readonly ((world: PoolWorld) => void)[]
}

/** `v2` is rolled out while this happens. At each turn what is decided is done first, by who wants to look at that. */
export function rollOutThrough(
  world: PoolWorld,
  { broken = [], happenings }: Story,
  act: (world: PoolWorld) => void = (each) => each.apply(each.decide()),
): void {
  for (const release of broken) world.broken.add(release)
  world.startRollout('v2')
  for (const happen of happenings) {
    act(world)
    happen(world)
    world.place()
  }
}

/** All is well again, and who has paused it goes on. */
export function recoverAll(world: PoolWorld): void {
  world.recover()
  world.move('resume')
}
