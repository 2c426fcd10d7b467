import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { joinWords, splitWords } from './words.ts'

describe('a command line', () => {
  it.each<[string, readonly string[] | undefined]>([
    ['', []],
    ['  ', []],
    ['node fix.js', ['node', 'fix.js']],
    ["sh -c 'echo $HOME; ls'", ['sh', '-c', 'echo $HOME; ls']],
    ['a "b c"d', ['a', 'b cd']],
    ['a "say \\"hi\\""', ['a', 'say "hi"']],
    ['a b\\ c', ['a', 'b c']],
    ["a ''", ['a', '']],
    ["'it\\'", ['it\\']],
    ['a "open', undefined],
  ])('%s', (line, words) => expect(splitWords(line)).toEqual(words))

  it('is what it was when it is joined and split again', () =>
    fc.assert(
      fc.property(fc.array(fc.string()), (words) => {
        expect(splitWords(joinWords(words))).toEqual(words)
      }),
    ))
})
