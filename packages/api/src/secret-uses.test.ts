import { expect, it } from 'vitest'
import type { ReleaseView } from './app-resources.ts'
import { secretUses } from './secret-uses.ts'

const secrets = [{ name: 'DB', file: 'DB' }]
const spec = { entrypoints: { web: { secrets }, worker: { secrets }, cron: {} } }
const release = (id: string, runningIn: string[]): ReleaseView => ({
  ...{ app: 'shop', id, image: 'x', createdAt: 1, createdBy: 'test' },
  ...{ runningIn, served: [], spec },
})

it('tells which running releases name a secret', () => {
  const releases = [release('v1', []), release('v2', ['production', 'staging'])]
  expect(secretUses(releases, { name: 'DB' }, [])).toEqual([
    { pool: 'production', release: 'v2', entrypoints: ['web', 'worker'] },
    { pool: 'staging', release: 'v2', entrypoints: ['web', 'worker'] },
  ])
  const inStaging = { name: 'DB', environment: 'staging' }
  expect(secretUses(releases, inStaging, [inStaging])).toHaveLength(1)
  expect(secretUses(releases, inStaging, [inStaging, { name: 'DB' }])).toEqual([])
  expect(secretUses(releases, { name: 'DB' }, [inStaging, { name: 'DB' }])).toHaveLength(1)
  expect(secretUses(releases, { name: 'OTHER' }, [])).toEqual([])
})
