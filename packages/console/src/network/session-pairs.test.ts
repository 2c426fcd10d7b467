import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { sessionPairs } from './session-pairs.ts'

const session = (name: string, up = true, kind: 'node' | 'peer' = 'node') => ({
  ...{ with: kind, name, address: '10.0.0.1', as: 64_512, up, since: 1, learned: 1 },
})
const told = (node: string, ...sessions: ReturnType<typeof session>[]) => ({
  ...{ node, mode: 'bgp' as const, running: true, sessions },
})

describe('sessions of all nodes', () => {
  it('are one where two nodes tell of the same, and down where one says so', () => {
    const pairs = sessionPairs([
      told('n10', session('n2'), session('n9', false)),
      told('n9', session('n10'), session('n2')),
      told('n2', session('n9'), session('n10'), session('n2', true, 'peer')),
    ])
    expect(pairs.map(({ between, up, isRouter, ends }) => [...between, up, isRouter, ends.length])).toEqual([
      ['n10', 'n9', false, false, 2],
      ['n2', 'n2', true, true, 1],
      ['n2', 'n9', true, false, 2],
      ['n10', 'n2', true, false, 2],
    ])
  })

  it('lose none, and are well only where all ends are', () => {
    const names = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { minLength: 1 })
    const arbitrary = names.chain((nodes) =>
      fc.tuple(
        ...nodes.map((node) =>
          fc
            .uniqueArray(fc.tuple(fc.constantFrom('a', 'b', 'c', 'd', 'e'), fc.boolean()), {
              selector: ([name]) => name,
            })
            .map((of) => told(node, ...of.filter(([name]) => name !== node).map(([name, up]) => session(name, up)))),
        ),
      ),
    )
    fc.assert(
      fc.property(arbitrary, (nodes) => {
        const pairs = sessionPairs(nodes)
        const all = nodes.flatMap(({ sessions }) => sessions)
        expect(pairs.flatMap(({ ends }) => ends)).toHaveLength(all.length)
        expect(new Set(pairs.map(({ key }) => key)).size).toBe(pairs.length)
        for (const { up, ends } of pairs) {
          expect(ends.length).toBeLessThanOrEqual(2)
          expect(up).toBe(ends.every((end) => end.up))
        }
        expect(pairs.map(({ up }) => Number(up))).toEqual(pairs.map(({ up }) => Number(up)).toSorted())
      }),
    )
  })
})
