import { describe, expect, it } from 'vitest'
import { specDiff } from './spec-diff.ts'

describe('the difference of two specifications', () => {
  it.each<[string, unknown, unknown, readonly object[]]>([
    ['nothing', { a: { b: [1] } }, { a: { b: [1] } }, []],
    ['a value', { a: { b: 1 } }, { a: { b: 2 } }, [{ op: '~', path: 'a.b', before: 1, after: 2 }]],
    ['a new member', {}, { a: { b: 1 } }, [{ op: '+', path: 'a', after: { b: 1 } }]],
    ['a member that went', { a: 1 }, {}, [{ op: '-', path: 'a', before: 1 }]],
    ['a list, whole', { a: [1] }, { a: [1, 2] }, [{ op: '~', path: 'a', before: [1], after: [1, 2] }]],
    ['another kind', { a: { b: 1 } }, { a: 'x' }, [{ op: '~', path: 'a', before: { b: 1 }, after: 'x' }]],
  ])('%s', (_, before, after, changes) => expect(specDiff(before, after)).toEqual(changes))
})
