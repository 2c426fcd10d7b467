import { describe, expect, it } from 'vitest'
import { changedImageLimits, imageLimitsText, imageRules } from './image-limits.ts'

describe('how many images a node takes and gives', () => {
  it('is the node’s own, else its group’s, else two each way', () => {
    expect(imageRules(undefined, undefined)).toEqual({ takes: 2, gives: 2 })
    const group = { takes: 4, bytesPerSecond: 1_000_000 }
    expect(imageRules(group, undefined)).toEqual({ takes: 4, gives: 2, bytesPerSecond: 1_000_000 })
    expect(imageRules(group, { takes: 1, gives: 8 })).toEqual({ takes: 1, gives: 8, bytesPerSecond: 1_000_000 })
  })

  it('changes part by part, and null takes a part back', () => {
    const some = changedImageLimits(undefined, { takes: 3, gives: undefined })
    expect(some).toEqual({ takes: 3 })
    expect(changedImageLimits(some, { bytesPerSecond: 5 })).toEqual({ takes: 3, bytesPerSecond: 5 })
    expect(changedImageLimits(some, { takes: null })).toBeUndefined()
    expect(changedImageLimits(some, {})).toEqual(some)
  })

  it('reads like what it is', () => {
    expect(imageLimitsText({ takes: 4, gives: 2, bytesPerSecond: 50 * 1024 ** 2 })).toBe(
      'takes 4, gives 2, 50Mi a second',
    )
    expect(imageLimitsText({})).toBe('as usual')
  })
})
