import { describe, expect, it } from 'vitest'
import { parseResources, parseSpeed, parseTaints, problemsOf } from './nodes.ts'

describe('what is said of a node', () => {
  it.each([
    [['gpu', 'dedicated=ml', 'spot-'], { gpu: '', dedicated: 'ml', spot: null }],
    [['a=b-'], { a: 'b-' }],
  ])('taints %j', (words, expected) => expect(parseTaints(words)).toEqual(expected))

  it.each([
    [
      ['gpu=4', 'bandwidth=10G', 'fpga=a,b', 'license-'],
      { gpu: 4, bandwidth: 10_000_000_000, fpga: ['a', 'b'], license: null },
    ],
    [['gpu=gpu0'], { gpu: ['gpu0'] }],
  ])('resources %j', (words, expected) => expect(parseResources(words)).toEqual(expected))

  it.each([
    ['1', 1000],
    ['0.75', 750],
    ['12.5', 12_500],
  ])('speed %s', (text, expected) => expect(parseSpeed(text)).toBe(expected))

  it.each<[() => unknown, string]>([
    [() => parseTaints(['a b']), 'is no taint'],
    [() => parseResources(['gpu']), 'gpu is no resource'],
    [() => parseResources(['=4']), 'is no resource'],
    [() => parseSpeed('fast'), 'fast is no speed'],
    [() => parseSpeed('0.001'), 'is no speed'],
  ])('mistakes are told: %s', (act, message) => expect(act).toThrow(message))

  it('a problem that many have is told once', () => {
    const problems = ['foreign']
    const nodes = ['a', 'b', 'c', 'd', 'e'].map((name) => ({ name, problems }))
    expect(problemsOf([...nodes.slice(0, 2), { name: 'f', problems: ['old', 'foreign'] }])).toEqual([
      'a, b, f: foreign',
      'f: old',
    ])
    expect(problemsOf(nodes)).toEqual(['a, b, c and 2 more: foreign'])
  })
})
