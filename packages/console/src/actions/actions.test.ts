import { describe, expect, it } from 'vitest'
import { resourceOf, resourceText } from './labels-dialog.tsx'
import { nameFrom } from './new-app-dialog.tsx'
import { pairChanges } from './pairs-dialog.tsx'

describe('changes of labels', () => {
  const before = { zone: 'rack-1', disk: 'nvme' }
  it.each<[string, readonly { key: string; value: string }[], object]>([
    [
      'none',
      [
        { key: 'zone', value: 'rack-1' },
        { key: 'disk', value: 'nvme' },
      ],
      {},
    ],
    [
      'another value',
      [
        { key: 'zone', value: 'rack-2' },
        { key: 'disk', value: 'nvme' },
      ],
      { zone: 'rack-2' },
    ],
    ['one gone', [{ key: 'disk', value: 'nvme' }], { zone: null }],
    [
      'another name',
      [
        { key: 'rack', value: 'rack-1' },
        { key: 'disk', value: 'nvme' },
      ],
      { zone: null, rack: 'rack-1' },
    ],
    [
      'an empty row',
      [
        { key: 'zone', value: 'rack-1' },
        { key: 'disk', value: 'nvme' },
        { key: '', value: '' },
      ],
      {},
    ],
  ])('%s', (_, rows, changes) => expect(pairChanges(before, rows)).toEqual(changes))
})

it.each([
  ['https://git.example.com/team/Web_Shop.git', 'web-shop'],
  ['git@git.example.com:team/shop.git', 'shop'],
  ['/srv/repositories/shop/', 'shop'],
  ['https://svn.example.com/2026-shop', 'shop'],
  ['', ''],
])('an app of %s is called %s', (repository, name) => expect(nameFrom(repository)).toBe(name))

it.each<[string | null, number | string[] | null]>([
  ['4', 4],
  ['a, b', ['a', 'b']],
  ['a100', ['a100']],
  [null, null],
])('a resource of %s is %j, and is written so', (text, resource) => {
  expect(resourceOf(text)).toEqual(resource)
  if (resource !== null) expect(resourceText(resource)).toBe(text)
})
