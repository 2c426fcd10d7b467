import { describe, expect, test } from 'vitest'
import { hostCandidates, matchRoute } from './match-route.ts'
import { sampleRoute } from './route-table.testing.ts'

const places = [
  'shop.example.com/',
  'shop.example.com/api',
  'shop.example.com/api/v1',
  '*.example.com/',
  '*.com/only',
  '*/',
  '*/health',
]
const routes = places.map((place) => {
  const slash = place.indexOf('/')
  return sampleRoute([1], { id: place, host: place.slice(0, slash), path: place.slice(slash) })
})

describe('which route answers', () => {
  test.each([
    ['shop.example.com', '/', 'shop.example.com/'],
    ['shop.example.com', '/x', 'shop.example.com/'],
    ['shop.example.com', '/api', 'shop.example.com/api'],
    ['shop.example.com', '/api/', 'shop.example.com/api'],
    ['shop.example.com', '/apix', 'shop.example.com/'],
    ['shop.example.com', '/api/v2', 'shop.example.com/api'],
    ['shop.example.com', '/api/v1/users', 'shop.example.com/api/v1'],
    ['www.example.com', '/api', '*.example.com/'],
    ['a.b.example.com', '/', '*.example.com/'],
    ['example.com', '/only/this', '*.com/only'],
    ['example.com', '/other', '*/'],
    ['', '/', '*/'],
    ['localhost', '/health', '*/health'],
  ])('%s%s → %s', (host, path, expected) => {
    expect(matchRoute(routes, host, path)?.id).toBe(expected)
  })

  test('nobody', () => {
    expect(matchRoute(routes.slice(0, 3), 'www.example.com', '/')).toBeUndefined()
  })
})

test('from the exact name to any', () => {
  expect(hostCandidates('a.b.c')).toEqual(['a.b.c', '*.b.c', '*.c', '*'])
})
