import { describe, expect, test } from 'vitest'
import { isImageReference, readBaseName } from './image-reference.ts'

describe('what a base names', () => {
  test.each([
    ['scratch', { type: 'scratch' }],
    ['node', { type: 'level', level: 'node' }],
    ['java-17', { type: 'level', level: 'java-17' }],
    ['node:26-slim', { type: 'image', reference: 'node:26-slim' }],
    ['berth/base:local', { type: 'image', reference: 'berth/base:local' }],
    ['team/app', { type: 'image', reference: 'team/app' }],
    ['registry.example:5000/a/b@sha256:'.concat('0'.repeat(64)), { type: 'image' }],
    ['sha256:'.concat('a'.repeat(64)), { type: 'image' }],
  ])('%s', (text, expected) => {
    expect(readBaseName(text)).toMatchObject(expected)
  })

  test.each([
    '',
    ' ',
    'Node',
    'node 26',
    'node:26\nRUN id',
    'node:26-slim AS x',
    '../x',
    './x',
    'a/../b',
    '$BASE',
    'node:$TAG',
    'a:b:c:d',
    '-x',
    '--platform=linux/arm64',
  ])('%j is refused', (text) => {
    expect(() => readBaseName(text)).toThrow(expect.objectContaining({ code: 'build.bad-base' }))
  })

  test('the longest reference', () => {
    expect(isImageReference('a'.repeat(512))).toBe(true)
    expect(isImageReference('a'.repeat(513))).toBe(false)
  })
})
