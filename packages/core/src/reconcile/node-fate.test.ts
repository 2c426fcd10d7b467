import { describe, expect, it } from 'vitest'
import { aliveForMs, nodeFate } from './node-fate.ts'

const now = 1_000_000
const silent = { online: false, silentSince: now - 50_000 }

describe('nodeFate', () => {
  it.each([
    ['its agent answers', { ...silent, online: true }, 0, { fate: 'here' }],
    ['silent for less than the app waits', silent, 60_000, { fate: 'silent', nextAt: now + 10_000 }],
    ['silent for as long as the app waits', silent, 50_000, { fate: 'lost' }],
    ['the app never gives up', silent, undefined, { fate: 'silent' }],
    [
      'the machine answers others',
      { ...silent, aliveAt: now - 1 },
      10_000,
      { fate: 'agent-away', nextAt: now - 1 + aliveForMs },
    ],
    [
      'the machine answered others, and then no more',
      { ...silent, aliveAt: now - aliveForMs },
      30_000,
      { fate: 'silent', nextAt: now - aliveForMs + 30_000 },
    ],
    ['nobody has heard of it since it last answered', { ...silent, aliveAt: now - 40_000 }, 40_000, { fate: 'lost' }],
  ])('%s', (_, evidence, afterMs, expected) => {
    expect(nodeFate(evidence, afterMs, now)).toEqual(expected)
  })
})
