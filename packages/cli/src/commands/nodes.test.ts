import type { NodeView } from '@berth/api'
import { describe, expect, it } from 'vitest'
import { nodeText } from './node-text.ts'
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

describe('node show', () => {
  const shown = (over: Partial<NodeView>): string => {
    const node = { ...{ name: 'h2', labels: {}, problems: [], joinedAt: 0, online: true, gateway: true }, ...over }
    return nodeText(node as unknown as NodeView)
  }
  it.each<[string, Partial<NodeView>, string | undefined]>([
    ['is one', { labels: { gateway: 'true' } }, 'runs'],
    [
      'has read another configuration',
      { labels: { gateway: 'true' }, gatewayReloads: 2 },
      'runs; nginx has read a changed configuration 2 times',
    ],
    ['is to be one', { labels: { gateway: 'true' }, gateway: false }, 'does not run yet'],
    ['is none any more', {}, 'ends: it serves what it has begun'],
    ['cannot hear that', { online: false }, 'ends once its agent hears that the label is gone'],
    ['is none', { gateway: false }, undefined],
  ])('says of a gateway that %s', (_, over, text) => expect(/^gateway +(.*)$/m.exec(shown(over))?.[1]).toBe(text))

  it('says who is still on a drained node', () => {
    const staying = [{ instance: 'shop.production.web-1', why: 'finishes the requests that it has', later: false }]
    expect(shown({ staying })).toContain('still there\n  shop.production.web-1 finishes the requests that it has')
  })
})
