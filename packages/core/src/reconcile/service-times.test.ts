import { expect, it } from 'vitest'
import { ServiceTimes, steadyMs } from './service-times.ts'

it('tells since when an instance serves or does not', () => {
  const times = new ServiceTimes(0)
  expect(times.note('a', false, 1000, 1000)).toBe(1000)
  expect(times.note('a', false, 3000, 1000)).toBe(1000)
  expect(times.note('a', true, 5000, 1000)).toBe(5000)
  expect(times.note('a', true, 9000, 1000)).toBe(5000)
})

it('adds up the absences of one that comes and goes, until it has served for long', () => {
  const times = new ServiceTimes(0)
  times.note('a', false, 0, 0)
  times.note('a', true, 50_000, 0)
  expect(times.note('a', false, 55_000, 0)).toBe(5000)
  times.note('a', true, 60_000, 0)
  expect(times.note('a', false, 60_000 + steadyMs, 0)).toBe(60_000 + steadyMs)
})

it('holds nothing against an instance that happened before it listened', () => {
  const times = new ServiceTimes(100_000)
  expect(times.note('starting', false, 100_001, 20_000)).toBe(100_000)
  expect(times.note('serving', true, 100_001, 20_000)).toBe(20_000)
  expect(times.note('clock ahead', true, 100_001, 900_000)).toBe(100_001)
  expect(times.note('created later', false, 200_000, 200_000)).toBe(200_000)
})

it('begins afresh with a forgotten one', () => {
  const times = new ServiceTimes(0)
  times.note('a', false, 0, 0)
  times.forget('a')
  expect(times.note('a', false, 9000, 9000)).toBe(9000)
})
