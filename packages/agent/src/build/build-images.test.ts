import { describe, expect, test } from 'vitest'
import { expired } from './build-images.ts'

describe('what is kept for the next build', () => {
  const hour = 3_600_000
  const at = (tag: string, ageHours: number) => ({ tag, createdAt: 100 * hour - ageHours * hour })
  const retention = { maxAgeMs: 24 * hour, maxCount: 2 }

  test('the newest few of each name, unless they are old', () => {
    const images = [at('a:1', 1), at('a:2', 2), at('a:3', 3), at('b:1', 25), at('b:2', 23), at('host:5000/c:1', 1)]
    expect(expired(images, retention, 100 * hour)).toEqual(['a:3', 'b:1'])
    expect(expired([], retention, 0)).toEqual([])
  })
})
