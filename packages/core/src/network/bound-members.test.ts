import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { BoundService, NameEntry } from '../model/assignment.ts'
import { boundMembers } from './bound-members.ts'
import { answerName } from './dns-answers.ts'
import { indexNames } from './name-index.ts'

const network = { pool: '10.77.0.0/16', domain: 'berth', defaultPool: 'production' }
const pools = ['production', 'staging'] as const

const entryOf = (pool: string, ordinal: number, site: string | undefined): NameEntry => ({
  ...{ app: 'shop', pool, entrypoint: 'db', instance: `shop.${pool}.db-${ordinal}` },
  address: `10.77.${pool === 'staging' ? 2 : 1}.${ordinal}`,
  ports: [{ name: 'sql', port: 5432, protocol: 'tcp' }],
  ...(site === undefined ? {} : { site }),
})

const service = (pool?: string): BoundService => ({
  ...{ as: 'DB', app: 'shop', entrypoint: 'db', port: 5432 },
  ...(pool === undefined ? {} : { pool }),
  host: `db.${pool === undefined ? '' : `${pool}.`}shop.berth`,
})

const entries = fc.uniqueArray(
  fc.record({
    pool: fc.constantFrom(...pools),
    ordinal: fc.integer({ min: 1, max: 20 }),
    site: fc.constantFrom('a', 'b'),
  }),
  { selector: ({ pool, ordinal }) => `${pool} ${ordinal}`, maxLength: 12 },
)

describe('members of what is bound', () => {
  it('are those whose addresses its name gives, those of the own site first', () => {
    fc.assert(
      fc.property(
        entries,
        fc.option(fc.constantFrom('a', 'b'), { nil: undefined }),
        fc.constantFrom(...pools, 'other'),
        fc.option(fc.constantFrom(...pools), { nil: undefined }),
        (found, site, askerPool, pool) => {
          const table = { version: 1, entries: found.map((each) => entryOf(each.pool, each.ordinal, each.site)) }
          const index = indexNames(table, { ...network, ...(site === undefined ? {} : { site }) })
          const bound = service(pool)
          const members = boundMembers(index, bound, askerPool)
          const answer = answerName(index, { name: bound.host, type: 'A' }, askerPool)
          const named = answer.kind === 'addresses' ? answer.addresses : []
          expect(members.map(({ address }) => address).sort()).toEqual([...named].sort())
          const near = members.filter(({ isNear }) => isNear === true)
          expect(members.slice(0, near.length)).toEqual(near)
          if (answer.kind === 'addresses' && answer.near !== undefined) expect(near).toHaveLength(answer.near)
        },
      ),
    )
  })

  it('come in order of their numbers, with their ports', () => {
    const table = { version: 1, entries: [10, 2, 1].map((ordinal) => entryOf('production', ordinal, undefined)) }
    expect(boundMembers(indexNames(table, network), service(), 'production')).toEqual([
      { instance: 'shop.production.db-1', address: '10.77.1.1', port: 5432 },
      { instance: 'shop.production.db-2', address: '10.77.1.2', port: 5432 },
      { instance: 'shop.production.db-10', address: '10.77.1.10', port: 5432 },
    ])
  })
})
