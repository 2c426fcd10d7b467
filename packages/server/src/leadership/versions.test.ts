import { expect, it } from 'vitest'
import { areVersionsCompatible } from './versions.ts'

it.each([
  ['0.1.0', '0.1.9', true],
  ['0.1.0', '0.2.0', true],
  ['0.3.0', '0.2.0', true],
  ['0.1.0', '0.3.0', false],
  ['1.0.0', '0.9.0', false],
  ['v1.2.3', '1.3.0-rc.1', true],
  ['test', '0.1.0', true],
])('%s beside %s: %s', (a, b, expected) => {
  expect(areVersionsCompatible(a, b)).toBe(expected)
  expect(areVersionsCompatible(b, a)).toBe(expected)
})
