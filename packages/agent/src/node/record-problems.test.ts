import { expect, it } from 'vitest'
import { RecordProblems } from './record-problems.ts'

it('is one sentence, however many instances it concerns, until the last of them is written', () => {
  const problems = new RecordProblems()
  expect(problems.sentence).toBeUndefined()
  for (const instance of ['web-1', 'web-2', 'web-3']) problems.set(instance, 'no space left on device')
  expect(problems.sentence).toBe(
    'could not write the record of web-1, and of 2 other instances: no space left on device; it is tried again every half minute',
  )
  problems.set('web-1', undefined)
  problems.set('web-3', undefined)
  expect(problems.sentence).toContain('record of web-2: no space')
  problems.set('web-2', undefined)
  expect(problems.sentence).toBeUndefined()
})
