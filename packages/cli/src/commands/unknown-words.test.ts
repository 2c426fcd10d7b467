import { expect, it } from 'vitest'
import { unknownPlaces, unknownSites, unusedTags } from './unknown-words.ts'

it('sites that no node bears are said, with what may have been meant', () => {
  const known = new Set(['paris', 'ams'])
  expect(unknownSites(['paris', 'ams'], known)).toEqual([])
  expect(unknownSites(['pariss', 'pariss'], known)).toEqual([
    'no node is of the site pariss (its label `site`); did you mean paris?',
  ])
  expect(unknownSites(['tokyo'], known)[0]).toContain('sites of nodes are ams, paris')
  expect(unknownSites(['tokyo'], new Set())[0]).toContain('no node has one')
})

it('apps and environments that there are not are said', () => {
  const pools = new Map([
    ['shop', ['production', 'staging']],
    ['blog', ['production']],
  ])
  for (const place of [{ app: 'shop' }, { pool: 'staging' }, { app: 'shop', pool: 'staging' }])
    expect(unknownPlaces(place, pools)).toEqual([])
  expect(unknownPlaces({ app: 'shpo', pool: 'x' }, pools)).toEqual(['no app is named shpo; did you mean shop?'])
  expect(unknownPlaces({ pool: 'prodction' }, pools)).toEqual([
    'no environment is named prodction; did you mean production?',
  ])
  expect(unknownPlaces({ app: 'blog', pool: 'elsewhere' }, pools)).toEqual([
    'no environment of blog is named elsewhere; there are production',
  ])
  expect(unknownPlaces({ app: 'a' }, new Map())[0]).toContain('there are none')
})

it('tags that no rule speaks of are said', () => {
  const rule = { action: 'allow' as const, src_tag: 'db-users' }
  const document = { id: 'db', tags: ['db'], inbound_rules: [rule], outbound_rules: [] }
  const profiles = [{ name: 'db', document }]
  expect(unusedTags(['db-users'], profiles)).toEqual([])
  // That a profile gives the tag lets nobody through by itself.
  expect(unusedTags(['db', 'db-user'], profiles)).toEqual([
    expect.stringMatching(/names the tag db(;|$)/),
    'no rule of a security profile names the tag db-user; did you mean db-users?',
  ])
})
