import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type BuildNode, chooseBuildNode } from './build-node.ts'

const node = (name: string, over: Partial<BuildNode> = {}): BuildNode => ({
  ...{ name, isBuilder: false, cpu: 'shared', schedulable: true, builds: 0, instances: 0 },
  ...over,
})

describe('the node of a build', () => {
  it.each<[string, BuildNode[], string | undefined, string | undefined]>([
    [
      'one that is labelled, though it takes no instances',
      [node('a'), node('b', { isBuilder: true, schedulable: false })],
      'a',
      'b',
    ],
    [
      'a shared one before those whose cores have owners',
      [node('a', { cpu: 'bound' }), node('b', { instances: 90 })],
      'a',
      'b',
    ],
    ['one whose cores have owners where there is no other', [node('a', { cpu: 'bound' })], undefined, 'a'],
    ['that of the last build, which has its layers', [node('a'), node('b', { instances: 5 })], 'b', 'b'],
    ['another while that one builds', [node('a', { instances: 9 }), node('b', { builds: 1 })], 'b', 'a'],
    ['that one again where all build', [node('a', { builds: 1 }), node('b', { builds: 2 })], 'b', 'b'],
    [
      'the emptiest',
      [node('a', { instances: 2 }), node('b', { instances: 1 }), node('c', { instances: 1 })],
      'gone',
      'b',
    ],
    ['none where none takes anything', [node('a', { schedulable: false })], 'a', undefined],
    ['none of nothing', [], undefined, undefined],
  ])('is %s', (_, nodes, last, chosen) => {
    expect(chooseBuildNode(nodes, last)?.name).toBe(chosen)
  })

  const anyNode = fc.record({
    name: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
    isBuilder: fc.boolean(),
    cpu: fc.constantFrom('shared' as const, 'bound' as const),
    schedulable: fc.boolean(),
    builds: fc.nat({ max: 2 }),
    instances: fc.nat({ max: 4 }),
  })
  const anyNodes = fc.uniqueArray(anyNode, { selector: ({ name }) => name, maxLength: 5 })

  it('is among the best of those that may, whatever the order in which they are named', () => {
    fc.assert(
      fc.property(anyNodes, fc.constantFrom('a', 'b', undefined), (nodes, last) => {
        const chosen = chooseBuildNode(nodes, last)
        expect(chooseBuildNode([...nodes].reverse(), last)).toEqual(chosen)
        const found = nodes.find(({ name }) => name === chosen?.name)
        if (found === undefined) {
          expect(nodes.some(({ isBuilder, schedulable }) => isBuilder || schedulable)).toBe(false)
          return
        }
        const builders = nodes.filter(({ isBuilder }) => isBuilder)
        const shared = nodes.filter(({ cpu, schedulable }) => cpu === 'shared' && schedulable)
        if (builders.length > 0) expect(found.isBuilder).toBe(true)
        else {
          expect(found.schedulable).toBe(true)
          if (shared.length > 0) expect(found.cpu).toBe('shared')
        }
        const alike =
          builders.length > 0 ? builders : shared.length > 0 ? shared : nodes.filter((each) => each.schedulable)
        if (found.builds > 0) expect(alike.every(({ builds }) => builds > 0)).toBe(true)
        const before = alike.find(({ name }) => name === last)
        if (before?.builds === 0) expect(found.name).toBe(last)
      }),
    )
  })
})
