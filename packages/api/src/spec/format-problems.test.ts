import { expect, it } from 'vitest'
import { formatProblems } from './format-problems.ts'
import { parseSpec } from './parse-spec.ts'

const format = (text: string): string => formatProblems(parseSpec(text).problems, 'berth.yaml', text)

it('shows the place, the line with a caret, and what to do', () => {
  const text = 'app: shop\nimage: shop:1\nentrypoints:\n  web:\n    replcas: 2\n    drain: 30\n'
  expect(format(text)).toBe(`berth.yaml:5:5: entrypoints.web.replcas: unknown key "replcas"
 5 |     replcas: 2
   |     ^
   = did you mean "replicas"?

berth.yaml:6:12: entrypoints.web.drain: 30: a duration needs a unit
 6 |     drain: 30
   |            ^
   = write 30s`)
})

it('keeps the caret below its character after tabs', () => {
  expect(format('app:\tShop\nimage: a:b\nentrypoints: {web: {}}')).toContain(' 1 | app:\tShop\n   |     \t^')
})

it('cuts long lines around the place', () => {
  const filler = Array.from({ length: 60 }, (_, index) => `K${index}: v`).join(', ')
  const [, source = '', caret = ''] = format(
    `app: a\nimage: b:1\nentrypoints: {web: {env: {${filler}}, drian: 1s}}`,
  ).split('\n')
  expect(source.length).toBeLessThan(130)
  expect(source.slice(caret.indexOf('^'))).toMatch(/^drian/)
})

it('shows no control characters of the file', () => {
  const shown = format('app: "a\u001b[31m\u0007"\nx\u001b[0m: \u202e1\n')
  expect(shown).not.toMatch(/(?!\n)[\p{Cc}\u202e]/u)
  expect(shown).toContain('�')
})
