import fc from 'fast-check'
import { expect, it } from 'vitest'
import { decideRefs, maxBuildsPerLook } from './decide-refs.ts'
import { isRefPattern, isWatched, matchesRef } from './ref-pattern.ts'

const pipeline = { branches: ['main', 'release/*'], tags: ['v*'] }
const ref = fc.constantFrom(
  ...['refs/heads/main', 'refs/heads/release/1', 'refs/heads/release/1/x', 'refs/heads/topic'],
  ...['refs/tags/v1', 'refs/tags/v2', 'refs/tags/old'],
)
const refs = fc.dictionary(ref, fc.constantFrom('a', 'b', 'c'))
const decide = (
  seen: Record<string, string> | undefined,
  remote: Record<string, string>,
  hinted: readonly string[] = [],
) => decideRefs({ pipeline, seen, remote: new Map(Object.entries(remote)), hinted: new Set(hinted) })

it('builds what moved since the last look, once however often it is told', () => {
  fc.assert(
    fc.property(refs, refs, fc.array(ref), (seen, remote, hinted) => {
      const first = decide(seen, remote, hinted)
      for (const { ref: name, commit } of first.build) {
        expect(isWatched(pipeline, name)).toBe(true)
        expect(remote[name]).toBe(commit)
        expect(seen[name]).not.toBe(commit)
      }
      const again = decide(first.refs, remote, hinted)
      expect(again).toEqual({ build: [], skipped: [], refs: first.refs, changed: false })
    }),
  )
})

it('forgets nothing that moved: what it does not build it names', () => {
  fc.assert(
    fc.property(refs, refs, (seen, remote) => {
      const { build, skipped } = decide(seen, remote)
      const moved = Object.keys(remote).filter((name) => isWatched(pipeline, name) && seen[name] !== remote[name])
      expect([...build.map((each) => each.ref), ...skipped].sort()).toEqual(moved.sort())
    }),
  )
})

it('the first look builds what was pushed just now and nothing else', () => {
  const remote = { 'refs/heads/main': 'a', 'refs/heads/topic': 'b', 'refs/tags/v1': 'c' }
  expect(decide(undefined, remote).build).toEqual([])
  expect(decide(undefined, remote).changed).toBe(true)
  expect(decide(undefined, remote, ['refs/heads/main', 'refs/heads/topic', 'refs/heads/gone']).build).toEqual([
    { ref: 'refs/heads/main', commit: 'a' },
  ])
})

it('of many at once it builds branches, then the highest tags', () => {
  const tags = Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`refs/tags/v${10 + n}`, 'a']))
  const { build, skipped } = decide({}, { ...tags, 'refs/heads/main': 'b' })
  expect(build.map((each) => each.ref).slice(0, 3)).toEqual(['refs/heads/main', 'refs/tags/v39', 'refs/tags/v38'])
  expect(build).toHaveLength(maxBuildsPerLook)
  expect(skipped).toHaveLength(31 - maxBuildsPerLook)
})

it.each([
  ['main', 'main', true],
  ['main', 'main2', false],
  ['release/*', 'release/1.2', true],
  ['release/*', 'release/1/x', false],
  ['**', 'release/1/x', true],
  ['*', 'release/1', false],
  ['v*.*', 'v1.2', true],
  ['v*.*', 'v12', false],
  ['a**c', 'a/b/c', true],
])('%s and %s: %s', (pattern, name, expected) => {
  expect(matchesRef(pattern, name)).toBe(expected)
})

it('a pattern of many stars ends soon', () => {
  const pattern = `${'**a'.repeat(60)}`
  const started = Date.now()
  expect(matchesRef(pattern, 'a'.repeat(250))).toBe(true)
  expect(matchesRef(pattern, `${'a'.repeat(250)}b`)).toBe(false)
  expect(Date.now() - started).toBeLessThan(2_000)
})

it.each(['', '-x', '/x', 'x/', 'a..b', 'a b', 'refs/heads/main', 'a\n', 'a***', 'x'.repeat(201), '$(x)'])(
  'refuses %j as a pattern',
  (text) => {
    expect(isRefPattern(text)).toBe(false)
  },
)
