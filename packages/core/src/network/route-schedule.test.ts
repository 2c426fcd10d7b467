import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { canServe, membersOf, scheduleRoute } from './route-schedule.ts'
import { sampleMember, sampleRoute, sampleTarget } from './route-table.testing.ts'
import type { Member, RouteTarget } from './route-table.ts'

const route = (targets: readonly RouteTarget[], allowEmpty = false) => ({ ...sampleRoute([]), targets, allowEmpty })
const members = (...weights: number[]) => weights.map((weight, index) => sampleMember(index + 1, { weight }))
const draining = (...ports: number[]) => ports.map((port) => sampleMember(port, { state: 'draining' }))

describe('the order of turns', () => {
  test.each<[string, readonly RouteTarget[], number[]]>([
    ['no target', [], []],
    ['no member', [sampleTarget([])], []],
    ['one', [sampleTarget(members(1))], [0]],
    ['equal', [sampleTarget(members(1, 1, 1))], [0, 1, 2]],
    ['equal, however large', [sampleTarget(members(500, 500))], [0, 1]],
    ['weighted, interleaved as nginx does', [sampleTarget(members(5, 1, 1))], [0, 0, 1, 0, 2, 0, 0]],
    ['weight 0', [sampleTarget(members(1, 0, 1))], [0, 2]],
    ['two targets 1:1, whatever their sizes', [sampleTarget(members(1)), sampleTarget(members(1, 1))], [0, 1, 2, 0]],
    ['a target without members leaves its share', [sampleTarget([], { weight: 9 }), sampleTarget(members(1))], [0]],
    ['a target of weight 0', [sampleTarget(members(1), { weight: 0 }), sampleTarget(members(1))], [1]],
    ['draining beside active', [sampleTarget([...draining(1), ...members(1)])], [1]],
    ['only draining', [sampleTarget(draining(1, 2))], [0, 1]],
    ['one target draining', [sampleTarget(draining(1)), sampleTarget(members(1))], [1]],
  ])('%s', (_, targets, expected) => {
    expect(scheduleRoute(route(targets))).toEqual(expected)
  })

  test('a route that may be empty leaves draining members alone', () => {
    expect(scheduleRoute(route([sampleTarget(draining(1))], true))).toEqual([])
    expect(canServe(route([sampleTarget(draining(1))], true))).toBe(false)
  })
})

const arbitraryMember = (index: number): fc.Arbitrary<Member> =>
  fc.record({
    instance: fc.constant(`i-${index}`),
    address: fc.constant('10.0.0.1'),
    port: fc.constant(index + 1),
    weight: fc.oneof(fc.constant(1), fc.nat(7), fc.nat(65_535)),
    state: fc.constantFrom('active' as const, 'draining' as const),
  })
const arbitraryTarget = fc.record({
  pool: fc.constant('p'),
  weight: fc.oneof(fc.constant(1), fc.nat(65_535)),
  members: fc.nat(6).chain((count) => fc.tuple(...Array.from({ length: count }, (_, index) => arbitraryMember(index)))),
})

describe('for any weights', () => {
  test('every usable member gets a turn, nobody else does, and the schedule stays short', () => {
    fc.assert(
      fc.property(fc.array(arbitraryTarget, { maxLength: 4 }), fc.boolean(), (targets, allowEmpty) => {
        const given = route(targets, allowEmpty)
        const schedule = scheduleRoute(given)
        const all = membersOf(given)
        const usable = (state: string) =>
          targets.flatMap((target) =>
            target.members.map((member) => target.weight > 0 && member.weight > 0 && member.state === state),
          )
        const active = usable('active')
        const expected = allowEmpty || active.some(Boolean) ? active : usable('draining')
        expect(all.map((_, place) => schedule.includes(place))).toEqual(expected)
        expect(schedule.length).toBeLessThanOrEqual(4096 + all.length)
        expect(canServe(given)).toBe(schedule.length > 0)
      }),
    )
  })

  test('turns are in proportion to small weights, exactly', () => {
    const weights = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 8 })
    fc.assert(
      fc.property(weights, (list) => {
        const schedule = scheduleRoute(route([sampleTarget(members(...list))]))
        const counts = list.map((_, place) => schedule.filter((entry) => entry === place).length)
        list.forEach((weight, place) => {
          expect(counts[place]! * list[0]!).toBe(weight * counts[0]!)
        })
      }),
    )
  })
})
