import { expect, it } from 'vitest'
import { Term } from './term.ts'

it('is over at its deadline, although no timer has said so', () => {
  let now = 0
  const term = new Term('cluster', 7, () => now >= 100)
  expect(term.isOver).toBe(false)
  expect(term.compare).toEqual({ key: '/leaders/cluster', modRevision: 7 })
  term.check()
  // The event loop stood still.
  now = 100
  expect(() => term.check()).toThrow('term 7 of cluster is over on this server')
  expect(term.signal.aborted).toBe(true)
  now = 0
  expect(term.isOver).toBe(true)
})

it('keeps its first reason', () => {
  const term = new Term('clock', 7, () => false)
  term.end('the server stops')
  term.end('something else')
  expect(term.signal.reason).toMatchObject({ code: 'leadership.over', retryable: true })
  expect(String(term.signal.reason)).toContain('the server stops')
})
