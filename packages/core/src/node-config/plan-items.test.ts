import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Items, type ItemValue, sameValue } from './config-items.ts'
import { dockerEffect } from './docker-effect.ts'
import { driftOf, type ItemChange, type OwnedItems, planItems, undoChanges } from './plan-items.ts'

const keys = [
  'docker/log-driver',
  'docker/registry-mirrors',
  'sysctl/net.core.somaxconn',
  'package/chrony',
  'file/etc/motd',
]
const text = fc.constantFrom('a', 'b', 'c')
const anyValue = (key: string): fc.Arbitrary<ItemValue> =>
  key === 'docker/registry-mirrors'
    ? fc.uniqueArray(text, { minLength: 1 })
    : key.startsWith('package')
      ? fc.constant(true)
      : text
const itemsOver = (
  present: (value: fc.Arbitrary<ItemValue>) => fc.Arbitrary<ItemValue | undefined>,
): fc.Arbitrary<Items> =>
  fc
    .tuple(...keys.map((key) => present(anyValue(key))))
    .map((values) =>
      Object.fromEntries(keys.flatMap((key, at) => (values[at] === undefined ? [] : [[key, values[at]]]))),
    )
const wanted = itemsOver((value) => fc.option(value, { nil: undefined }))
const machine = itemsOver((value) => fc.option(value, { nil: null })).map((items) => ({
  ...items,
  'docker/own': 'mine',
}))

const make = (found: Items, changes: readonly ItemChange[]): Items =>
  changes.reduce<Record<string, ItemValue>>(
    (all, { key, before, after }) => {
      expect(sameValue(all[key] ?? null, before)).toBe(true)
      all[key] = after
      return all
    },
    { ...found },
  )

/** Versions one after the other on one machine. */
const through = (start: Items, versions: readonly Items[]): { found: Items; owned: OwnedItems } =>
  versions.reduce<{ found: Items; owned: OwnedItems }>(
    ({ found, owned }, each) => {
      const plan = planItems(each, owned, found)
      return { found: make(found, plan.changes), owned: plan.owned }
    },
    { found: start, owned: {} },
  )

describe('planItems', () => {
  it('changes nothing the second time', () => {
    fc.assert(
      fc.property(machine, fc.array(wanted, { maxLength: 4 }), wanted, (start, earlier, last) => {
        const { found, owned } = through(start, [...earlier, last])
        expect(planItems(last, owned, found)).toMatchObject({ changes: [], leftAsFound: [], owned })
        expect(driftOf(owned, found)).toEqual([])
      }),
    )
  })

  it('gives everything back that is no longer named, whatever came in between, and touches nothing else', () => {
    fc.assert(
      fc.property(machine, fc.array(wanted, { maxLength: 5 }), (start, versions) => {
        const { found, owned } = through(start, [...versions, {}])
        expect(found).toEqual(start)
        expect(owned).toEqual({})
      }),
    )
  })

  it('is undone exactly by the way back', () => {
    fc.assert(
      fc.property(machine, wanted, wanted, (start, one, other) => {
        const { found, owned } = through(start, [one])
        const { changes } = planItems(other, owned, found)
        expect(make(make(found, changes), undoChanges(changes))).toEqual(found)
      }),
    )
  })

  it('names a key that drifted, and sets it right without taking what it drifted to for the base', () => {
    const first = planItems({ 'sysctl/x.y': '1' }, {}, { 'sysctl/x.y': '0' })
    const drifted = { 'sysctl/x.y': '7' }
    expect(driftOf(first.owned, drifted)).toEqual([{ key: 'sysctl/x.y', before: '7', after: '1' }])
    const again = planItems({ 'sysctl/x.y': '1' }, first.owned, drifted)
    expect(again.changes).toEqual([{ key: 'sysctl/x.y', before: '7', after: '1' }])
    expect(again.owned).toEqual({ 'sysctl/x.y': { base: '0', value: '1' } })
  })

  it('leaves to its owner what somebody has changed since and no version names any more', () => {
    const owned = { 'sysctl/x.y': { base: '0', value: '1' } }
    expect(planItems({}, owned, { 'sysctl/x.y': '7' })).toEqual({ changes: [], owned: {}, leftAsFound: ['sysctl/x.y'] })
  })

  it("keeps the machine's own registries beside the document's", () => {
    const key = 'docker/registry-mirrors'
    const { changes, owned } = planItems({ [key]: ['a', 'b'] }, {}, { [key]: ['b', 'own'] })
    expect(changes).toEqual([{ key, before: ['b', 'own'], after: ['a', 'b', 'own'] }])
    expect(planItems({}, owned, { [key]: ['a', 'b', 'own'] }).changes).toEqual([
      { key, before: ['a', 'b', 'own'], after: ['b', 'own'] },
    ])
  })

  it('orders packages before files, files before settings, settings before docker', () => {
    const all = { 'docker/a': 1, 'sysctl/a.b': '1', 'file/etc/a': 'x', 'package/z': true }
    expect(planItems(all, {}, {}).changes.map(({ key }) => key)).toEqual([
      'package/z',
      'file/etc/a',
      'sysctl/a.b',
      'docker/a',
    ])
  })
})

it.each([
  [[], 'none'],
  [['file/etc/a'], 'none'],
  [['docker/registry-mirrors', 'docker/debug'], 'reload'],
  [['docker/registry-mirrors', 'docker/log-driver'], 'restart'],
])('%j asks dockerd for: %s', (changed, effect) => {
  expect(dockerEffect(changed.map((key) => ({ key, before: null, after: 1 })))).toBe(effect)
})
