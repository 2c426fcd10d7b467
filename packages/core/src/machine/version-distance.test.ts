import fc from 'fast-check'
import { expect, it } from 'vitest'
import { versionDistance, versionProblem } from './version-distance.ts'

it.each([
  ['0.1.0', '0.1.0', 'same'],
  ['0.1.0', '0.1.7', 'near'],
  ['0.1.0', '0.2.0-rc.1', 'near'],
  ['0.1.0', '0.3.0', 'apart'],
  ['1.9.0', '1.6.2', 'apart'],
  ['0.1.0', '0.5.0', 'far'],
  ['0.9.0', '1.0.0', 'far'],
  ['', '0.1.0', undefined],
  ['dev', '0.1.0', undefined],
])('%s and %s are %s', (a, b, distance) => {
  expect(versionDistance(a, b)).toBe(distance)
})

it('is the same from both sides', () => {
  const version = fc.tuple(fc.nat(3), fc.nat(9), fc.nat(9)).map((parts) => parts.join('.'))
  fc.assert(fc.property(version, version, (a, b) => versionDistance(a, b) === versionDistance(b, a)))
})

it('says what to do only where something is to be done', () => {
  expect(versionProblem('n', '0.1.0', '0.2.3')).toBeUndefined()
  expect(versionProblem('n', '0.1.0', '0.3.0')).toContain('berth node upgrade n')
  expect(versionProblem('n', '0.1.0', '1.0.0')).toContain('too far apart')
})
