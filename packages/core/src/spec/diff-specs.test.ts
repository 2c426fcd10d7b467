import fc from 'fast-check'
import { expect, it } from 'vitest'
import { canonicalize } from './canonicalize.ts'
import { diffSpecs } from './diff-specs.ts'
import { validDocument } from './spec-document.testing.ts'
import type { EntrypointDocument, SpecDocument } from './spec-document.ts'

const specOf = (document: SpecDocument) => canonicalize(document).spec!
const app = (web: EntrypointDocument, more: SpecDocument = {}) =>
  specOf({ app: 'shop', image: 'shop:1', entrypoints: { web }, ...more })
const lines = (before: EntrypointDocument, after: EntrypointDocument) =>
  diffSpecs(app(before), app(after)).map((change) =>
    [change.op, change.path, 'before' in change ? change.before : '', 'after' in change ? change.after : ''].map(
      (part) => (typeof part === 'string' ? part : JSON.stringify(part)),
    ),
  )

it('speaks in the file’s own words', () => {
  const before = { env: { COLOR: 'blue', OLD: '1' }, cpu: '1.3', drain: '30s' }
  const after = { env: { COLOR: 'green', NEW: '1' }, cpu: 2, memory: '512Mi', drain: '1m' }
  expect(lines(before, after)).toEqual([
    ['~', 'entrypoints.web.cpu', '1.3', '2'],
    ['~', 'entrypoints.web.drain', '30s', '1m'],
    ['~', 'entrypoints.web.env.COLOR', 'blue', 'green'],
    ['+', 'entrypoints.web.env.NEW', '', '1'],
    ['-', 'entrypoints.web.env.OLD', '1', ''],
    ['+', 'entrypoints.web.memory', '', '512Mi'],
  ])
})

it('tells list items by what they are, not by their place', () => {
  const before = { volumes: ['b:/b', 'c:/c'], secrets: ['s'] }
  const after = { volumes: ['a:/a', 'b:/b', 'x:/c'], secrets: [{ name: 's', file: 't' }] }
  expect(lines(before, after)).toEqual(
    [
      ['-', 'entrypoints.web.secrets.s', '{"name":"s"}', ''],
      ['+', 'entrypoints.web.secrets.t', '', '{"name":"s"}'],
      ['~', 'entrypoints.web.volumes["/c"].name', 'c', 'x'],
      ['+', 'entrypoints.web.volumes["/a"]', '', '{"name":"a","readOnly":false}'],
    ].sort((a, b) => (a[1]! < b[1]! ? -1 : 1)),
  )
})

it('shows that another port became the default one', () => {
  const readiness = { health: { readiness: 'none' } } as const
  const changes = lines({ ports: { a: 1, b: 2 }, ...readiness }, { ports: { b: 2, a: 1 }, ...readiness })
  expect(changes.map(([op, path]) => [op, path])).toEqual([['~', 'entrypoints.web.ports']])
})

it('takes a part that came or went as one change', () => {
  const after = app({}, { entrypoints: { web: {}, worker: {} }, environments: { test: { env: { A: 1 } } } })
  expect(diffSpecs(app({}), after).map(({ op, path }) => `${op} ${path}`)).toEqual([
    '+ entrypoints.worker',
    '+ environments.test',
  ])
  expect(diffSpecs(after, app({})).map(({ op }) => op)).toEqual(['-', '-'])
  expect(diffSpecs(undefined, after).map(({ path }) => path)).toContain('app')
})

it('finds nothing between a spec and itself, and the mirror image the other way', () => {
  fc.assert(
    fc.property(validDocument, validDocument, (a, b) => {
      const [one, two] = [specOf(a), specOf(b)]
      expect(diffSpecs(one, one)).toEqual([])
      const there = diffSpecs(one, two)
      const back = diffSpecs(two, one)
      expect(back.map(({ path }) => path)).toEqual(there.map(({ path }) => path))
      expect(there.length === 0).toBe(JSON.stringify(one) === JSON.stringify(two))
    }),
  )
})
