import { describe, expect, it } from 'vitest'
import { matchPath, path } from './match-path.ts'

describe('matchPath', () => {
  it.each([
    ['/', '/', {}],
    ['/apps/:app', '/apps/shop', { app: 'shop' }],
    ['/apps/:app', '/apps/shop/', { app: 'shop' }],
    ['/apps/:app', '/apps/a%20b', { app: 'a b' }],
    ['/instances/:id/:tab?', '/instances/i-1', { id: 'i-1' }],
    ['/instances/:id/:tab?', '/instances/i-1/logs', { id: 'i-1', tab: 'logs' }],
    ['/apps/:app/-/:tab', '/apps/shop/-/releases', { app: 'shop', tab: 'releases' }],
    ['/apps/:app', '/apps', undefined],
    ['/apps/:app', '/apps/shop/production', undefined],
    ['/apps/:app', '/apps/%zz', undefined],
    ['/nodes', '/apps', undefined],
  ])('%s with %s', (pattern, given, expected) => {
    expect(matchPath(pattern, given)).toEqual(expected)
  })

  it('reads what path writes', () => {
    expect(matchPath('/apps/:app/:pool', path('apps', 'a/b', 'ü?'))).toEqual({ app: 'a/b', pool: 'ü?' })
  })
})
