import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseFilter } from './filter-expression.ts'

const item = {
  ...{ ServiceName: 'shop', ServiceTags: ['web', 'v7'], ServicePort: 8080, ServiceMeta: { app: 'shop', 'a.b': '1' } },
  ...{ Node: { Node: 'h1', Meta: { site: 'bj' } }, Checks: [{ Status: 'passing' }, { Status: 'critical' }], Empty: [] },
}

function holds(expression: string): boolean {
  const parsed = parseFilter(expression)
  if ('problem' in parsed) throw new Error(parsed.problem)
  return parsed.filter(item)
}

describe('filters', () => {
  it.each([
    ['ServiceName == "shop"', true],
    ['ServiceName == shop', true],
    ['ServiceName != `shop`', false],
    ['ServicePort == 8080', true],
    ['"web" in ServiceTags', true],
    ['web in ServiceTags and not "v8" in ServiceTags', true],
    ['"v8" not in ServiceTags', true],
    ['ServiceTags contains "v7"', true],
    ['ServiceTags not contains v7', false],
    ['ServiceMeta.app == shop', true],
    ['ServiceMeta["a.b"] == "1"', true],
    ['app in ServiceMeta', true],
    ['Node.Meta.site == bj', true],
    ['Node.Meta.zone is empty', true],
    ['Empty is empty', true],
    ['ServiceTags is not empty', true],
    ['Checks.Status == "critical"', true],
    ['Checks.Status == "warning"', false],
    ['ServiceName matches "^sh.p$"', true],
    ['ServiceName not matches "^x"', true],
    ['ServiceName == x or ServiceName == shop and ServicePort == 1', false],
    ['(ServiceName == x or ServiceName == shop) and ServicePort == 8080', true],
    ['not (ServiceName == shop)', false],
    ['toString is empty', true],
  ])('%s: %s', (expression, expected) => {
    expect(holds(expression)).toBe(expected)
  })

  it.each([
    ['ServiceName ==', 'a name or a value'],
    ['ServiceName shop', 'is expected'],
    ['"a" == "b"', 'is a value'],
    ['(a == b', '")"'.slice(1, 2)],
    ['a == b c', 'is not expected'],
    ['a == "b', 'makes no sense'],
    ['a matches "(a+)+"', 'repeats'],
    ['a matches ".*a.*a.*a.*a"', 'repetitions'],
    ['a matches "["', 'no regular expression'],
    ['('.repeat(60), 'nested'],
    [`a == ${'b'.repeat(5000)}`, 'longer'],
  ])('%s is refused', (expression, words) => {
    const parsed = parseFilter(expression)
    expect('problem' in parsed ? parsed.problem : '').toContain(words)
  })

  it('never throw, whatever is written', () => {
    const part = fc.constantFrom(
      'a',
      '"x"',
      'in',
      'not',
      'and',
      'or',
      '(',
      ')',
      '==',
      'is',
      'empty',
      'contains',
      '[',
      ']',
      'matches',
      '"',
    )
    fc.assert(
      fc.property(fc.array(part, { maxLength: 12 }), (parts) => {
        const parsed = parseFilter(parts.join(' '))
        if ('filter' in parsed) expect(typeof parsed.filter(item)).toBe('boolean')
        else expect(parsed.problem).not.toBe('')
      }),
    )
  })
})
