import { describe, expect, it } from 'vitest'
import { recentUse } from './recent-use.ts'

describe('recentUse', () => {
  it('is the average, in whole numbers', () => {
    const samples = [
      { cpuMilli: 100, memoryBytes: 10 },
      { cpuMilli: 301, memoryBytes: 20 },
      { cpuMilli: 100, memoryBytes: 30 },
    ]
    expect(recentUse(samples)).toEqual({ cpuMilli: 167, memoryBytes: 20 })
  })

  it('is not known before anything was measured', () => {
    expect(recentUse([])).toBeUndefined()
  })
})
