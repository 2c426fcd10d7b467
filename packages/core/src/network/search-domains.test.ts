import { describe, expect, it } from 'vitest'
import { searchDomainProblems, searchList } from './search-domains.ts'

const long = (count: number) => Array.from({ length: count }, (_, index) => `${'a'.repeat(50)}${index}.example`)

describe('search domains', () => {
  it.each([
    ['none', [], []],
    ['some', ['corp.example', 'lab', 'tools.berth'], []],
    ['a dot at the end', ['corp.example.'], [/^"corp.example." is no host name/]],
    ['capitals', ['Corp.example'], [/must be in lower case/]],
    ['an option of resolv.conf', ['corp.example\noptions'], [/is no host name/]],
    ['blanks', ['a b', ''], [/is no host name/, /is no host name/]],
    ['one twice', ['corp.example', 'corp.example'], [/corp.example is given twice/]],
    ['six', ['a', 'b', 'c', 'd', 'e', 'f'], [/6 domains are too many: at most 5/]],
    ['long ones', long(3), [/more than 120 characters/]],
  ])('%s', (_, domains, expected) => {
    const found = searchDomainProblems(domains).map(({ message }) => message)
    expect(found).toEqual(expected.map((each) => expect.stringMatching(each)))
  })

  const shop = { app: 'shop', pool: 'production' }
  it.each([
    ['its own alone', shop, {}, ['production.shop.berth']],
    ['the cluster’s', shop, { searchDomains: ['corp.example'] }, ['production.shop.berth', 'corp.example']],
    [
      'the entrypoint’s in their place',
      { ...shop, searchDomains: ['lab.example', 'production.shop.berth'] },
      { searchDomains: ['corp.example'] },
      ['production.shop.berth', 'lab.example'],
    ],
    ['none of them', { ...shop, searchDomains: [] }, { searchDomains: ['corp.example'] }, ['production.shop.berth']],
  ])('of an instance are %s', (_, instance, network, expected) =>
    expect(searchList(instance, { domain: 'berth', ...network })).toEqual(expected),
  )
})
