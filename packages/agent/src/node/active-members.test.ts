import { memberKey, type Route, targetsOf } from '@berth/core'
import { sampleRoute, sampleTable } from '@berth/core/network/route-table.testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ActiveMembers } from './active-members.ts'

const ports = [1, 2, 3, 4]

/** Few, so that tables share them and their members. */
const routes: readonly Route[] = ports.flatMap((port) =>
  (['active', 'draining'] as const).map((state) => {
    const route = sampleRoute([port, (port % 4) + 1], { host: `${state}-${port}.test` })
    const [target] = route.targets
    const members = target?.members.map((member, at) => (at === 0 ? { ...member, state } : member)) ?? []
    return { ...route, targets: target === undefined ? [] : [{ ...target, members }] }
  }),
)
const keys = new Set(routes.flatMap(({ targets }) => targets.flatMap(({ members }) => members.map(memberKey))))

describe('active members', () => {
  it('are those of the table that was followed last, whatever was before', () => {
    const lists = fc.array(fc.subarray([...routes]), { maxLength: 8 })
    fc.assert(
      fc.property(lists, (list) => {
        const active = new ActiveMembers()
        list.forEach((chosen, version) => {
          const table = sampleTable(version + 1, chosen)
          active.follow(table)
          active.follow(table)
          const members = [...targetsOf(table)].flatMap((target) => target.members)
          const wanted = new Set(members.filter(({ state }) => state === 'active').map(memberKey))
          expect([...keys].filter((key) => active.has(key)).sort()).toEqual([...wanted].sort())
        })
        active.follow(undefined)
        expect([...keys].some((key) => active.has(key))).toBe(false)
      }),
    )
  })
})
