import type { KeptAddress, Pool, Rollout } from '../model/index.ts'
import { keepsAddresses } from '../spec/keeps-addresses.ts'
import type { PoolSnapshot, PoolStep } from './pool-snapshot.ts'

/**
 * Addresses that nobody keeps any more: no instance has the slot, and neither what the pool runs nor what its rollout comes from or goes to
 * has that many. Scaled to 0 an entrypoint is at rest, and keeps all that it has.
 */
export function releaseAddresses(snapshot: PoolSnapshot): PoolStep[] {
  const { kept = [], instances } = snapshot
  if (kept.length === 0) return []
  const held = new Set(instances.map(({ instance }) => slotKey(instance.entrypoint, instance.slot)))
  return kept
    .filter((each) => !held.has(slotKey(each.entrypoint, each.slot)) && !isWanted(snapshot, each))
    .map(({ address }) => ({ type: 'release-address', address }))
}

const slotKey = (entrypoint: string, slot: number | undefined): string => `${entrypoint} ${slot}`

function isWanted({ pool, rollout, specs }: PoolSnapshot, { entrypoint, slot }: KeptAddress): boolean {
  if (pool.removing === true) return false
  return releasesOf(pool, rollout).some((release) => {
    const spec = specs.get(release)
    // It has not arrived yet.
    if (spec === undefined) return true
    const own = spec.entrypoints[entrypoint]
    if (own === undefined || !keepsAddresses(own)) return false
    return countsOf(pool, rollout, entrypoint, own.replicas).some((count) => count === 0 || slot <= count)
  })
}

const releasesOf = (pool: Pool, rollout: Rollout | undefined): readonly string[] =>
  [pool.release, rollout?.from, rollout?.to].flatMap((each) => each ?? [])

/** A rollout that does not succeed puts back those of before. */
const countsOf = (
  pool: Pool,
  rollout: Rollout | undefined,
  entrypoint: string,
  replicas: number,
): readonly number[] => [
  pool.replicas[entrypoint]?.count ?? replicas,
  ...(rollout === undefined ? [] : [rollout.replicasBefore[entrypoint]?.count ?? replicas]),
]
