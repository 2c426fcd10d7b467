import {
  effectiveValue,
  type ItemKey,
  type Items,
  type ItemValue,
  itemKinds,
  kindOf,
  sameValue,
} from './config-items.ts'

/** What a node remembers of the items that Berth owns there. */
export interface OwnedItem {
  /** What the machine had before. */
  readonly base: ItemValue
  /** What it was given. */
  readonly value: ItemValue
}
export type OwnedItems = Readonly<Record<ItemKey, OwnedItem>>

export interface ItemChange {
  readonly key: ItemKey
  readonly before: ItemValue
  readonly after: ItemValue
}

export interface ItemPlan {
  /** In the order in which they are to be made. */
  readonly changes: readonly ItemChange[]
  /** What is owned once they are made. */
  readonly owned: OwnedItems
  /** No longer wanted, but changed by somebody else since: left as they are. */
  readonly leftAsFound: readonly ItemKey[]
}

/**
 * What has to change for a machine on which `found` was found. `found` has every key of `wanted` and `owned`. What is named by neither is
 * not looked at.
 */
export function planItems(wanted: Items, owned: OwnedItems, found: Items): ItemPlan {
  const next: Record<ItemKey, OwnedItem> = {}
  const changes: ItemChange[] = []
  const leftAsFound: ItemKey[] = []
  for (const [key, asked] of Object.entries(wanted)) {
    const before = found[key] ?? null
    const base = owned[key]?.base ?? (owned[key] === undefined ? before : null)
    const after = effectiveValue(key, asked, base)
    next[key] = { base, value: after }
    if (!sameValue(before, after)) changes.push({ key, before, after })
  }
  for (const [key, { base, value }] of Object.entries(owned)) {
    if (key in wanted) continue
    const before = found[key] ?? null
    if (sameValue(before, base)) continue
    if (sameValue(before, value)) changes.push({ key, before, after: base })
    else leftAsFound.push(key)
  }
  return { changes: inOrder(changes), owned: next, leftAsFound }
}

/** The way back to what was before. */
export const undoChanges = (changes: readonly ItemChange[]): readonly ItemChange[] =>
  changes.toReversed().map(({ key, before, after }) => ({ key, before: after, after: before }))

/** Owned items that are not what they were given. */
export const driftOf = (owned: OwnedItems, found: Items): readonly ItemChange[] =>
  inOrder(
    Object.entries(owned).flatMap(([key, { value }]) => {
      const before = found[key] ?? null
      return sameValue(before, value) ? [] : [{ key, before, after: value }]
    }),
  )

const inOrder = (changes: readonly ItemChange[]): readonly ItemChange[] =>
  changes.toSorted(
    (a, b) => itemKinds.indexOf(kindOf(a.key)) - itemKinds.indexOf(kindOf(b.key)) || (a.key < b.key ? -1 : 1),
  )
