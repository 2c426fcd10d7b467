import type { ReleaseView } from '@berth/api'
import { expect, it } from 'vitest'
import { secretUses } from './secret-use.ts'

const secrets = [{ name: 'DB', file: 'DB' }]
const spec = { entrypoints: { web: { secrets }, worker: { secrets }, cron: {} } }
const release = (id: string, runningIn: string[]): ReleaseView => ({
  ...{ app: 'shop', id, image: 'x', createdAt: 1, createdBy: 'test' },
  ...{ runningIn, spec },
})

it('tells which running releases name a secret', () => {
  const releases = [release('v1', []), release('v2', ['production', 'staging'])]
  expect(secretUses(releases, { name: 'DB' }, [])).toEqual([
    'production runs v2, which names it (web, worker)',
    'staging runs v2, which names it (web, worker)',
  ])
  const inStaging = { name: 'DB', environment: 'staging' }
  expect(secretUses(releases, inStaging, [inStaging])).toHaveLength(1)
  expect(secretUses(releases, inStaging, [inStaging, { name: 'DB' }])).toEqual([])
  expect(secretUses(releases, { name: 'DB' }, [inStaging, { name: 'DB' }])).toHaveLength(1)
  expect(secretUses(releases, { name: 'OTHER' }, [])).toEqual([])
})
