import type { Pool, Release, Rollout } from '@berth/core'
import { expect, it } from 'vitest'
import { testSpec } from '../controllers/specs.testing.ts'
import { openTemporaryRecords } from '../records/open-records.testing.ts'
import { silent } from '../store/sqlite/open-temporary.testing.ts'
import { ImageArrivals } from './image-arrivals.ts'

const made = { createdAt: 1, createdBy: 'local:0' }
const spec = testSpec({ web: { replicas: 1_000 } })
const pool: Pool = {
  ...{ app: 'shop', name: 'production', environment: 'production', createdAt: 1 },
  ...{ generation: 0, nextGeneration: 2, nextOrdinal: {}, replicas: {} },
}
const release: Release = { app: 'shop', id: 'v1', image: 'sha256:v1', spec, ...made }
const rollout = (n: number): Rollout => ({
  ...{ id: `r-${n}`, app: 'shop', pool: 'production', reason: 'deploy', to: 'v1', toGeneration: 1, fromGeneration: 0 },
  ...{ state: 'running', message: '', progress: {}, replicasBefore: {}, jobsDone: [], updatedAt: 1, ...made },
})

it('of rollouts that begin together each asks fewer nodes than one alone, and those that come when all is asked as many again', async () => {
  await using under = await openTemporaryRecords()
  const { state, records } = under
  await records.commit('system:test', (tx) => {
    tx.put('releases', release)
    const rest = { labels: {}, address: '127.0.0.1', schedulable: true, certificateFingerprint: '', joinedAt: 0 }
    tx.put('nodes', { name: 'n-0', block: '10.78.0.0/24', ...rest })
  })
  const imagined: number[] = []
  const answer = Promise.withResolvers<boolean>()
  using arrivals = new ImageArrivals({
    ...{ state, log: silent, isOnline: () => true, onChange: () => undefined },
    books: { placesFor: (_, count) => new Set(imagined.push(count) > 0 ? ['n-0'] : []) },
    agents: {
      holdersOf: () => new Set(),
      isConnected: () => true,
      hasImage: () => answer.promise,
      bringImage: async () => undefined,
    },
  })
  for (let n = 0; n < 1_000; n++) arrivals.look(pool, rollout(n), spec)
  expect(imagined[0]).toBe(200)
  expect(imagined.toSorted((a, b) => b - a)).toEqual(imagined)
  expect(imagined.at(-1)).toBe(5)
  expect(imagined.reduce((sum, each) => sum + each, 0)).toBeLessThan(20_000)
  answer.resolve(true)
  await answer.promise
  // Whoever asks is told in turn.
  await expect.poll(() => arrivals.look(pool, rollout(0), spec).every((each) => each.state === 'there')).toBe(true)
  arrivals.look(pool, rollout(1_000), spec)
  expect(imagined.at(-1)).toBe(200)
})
