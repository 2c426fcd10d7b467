import fc from 'fast-check'
import { expect, it } from 'vitest'
import { GivenOut, type Holding } from './given-out.ts'

const ids = ['a', 'b', 'c', 'd']
const addresses = ['10.0.0.2', '10.0.0.3']

const holding: fc.Arbitrary<Holding | undefined> = fc.option(
  fc.record(
    {
      node: fc.constantFrom('n1', 'n2'),
      address: fc.constantFrom(...addresses),
      room: fc.record({ group: fc.constantFrom('g', 'h'), cpuMilli: fc.nat(99), memoryBytes: fc.nat(99) }),
    },
    { requiredKeys: ['node', 'address'] },
  ),
  { nil: undefined },
)

it('says at any time what going through all instances would say', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.constantFrom(...ids), holding), { maxLength: 40 }), (changes) => {
      const given = new GivenOut()
      const plain = new Map<string, Holding>()
      for (const [id, each] of changes) {
        given.set(id, each)
        if (each === undefined) plain.delete(id)
        else plain.set(id, each)
        for (const node of ['n1', 'n2'])
          for (const address of addresses)
            expect(given.isUsed(node, address)).toBe(
              [...plain.values()].some((one) => one.node === node && one.address === address),
            )
        for (const group of ['g', 'h']) {
          const rooms = [...plain.values()].flatMap(({ room }) => (room?.group === group ? [room] : []))
          const sum = (key: 'cpuMilli' | 'memoryBytes'): number => rooms.reduce((all, room) => all + room[key], 0)
          expect(given.inGroup(group)).toEqual({ cpuMilli: sum('cpuMilli'), memoryBytes: sum('memoryBytes') })
        }
      }
    }),
  )
})
