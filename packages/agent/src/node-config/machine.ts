import {
  type ItemChange,
  type ItemKey,
  type ItemKind,
  type Items,
  itemKinds,
  kindOf,
  nameOf,
  type OwnedItems,
} from '@berth/core'
import type { KindOptions, MachineItems } from './item-kind.ts'
import type { SysctlItems } from './sysctl-items.ts'

export type Kinds = Readonly<Record<ItemKind, MachineItems>> & { readonly sysctl: SysctlItems }

/** All that a node configuration may own of this machine. */
export class Machine {
  readonly #kinds: Kinds

  constructor(kinds: Kinds) {
    this.#kinds = kinds
  }

  async read(keys: Iterable<ItemKey>, options: KindOptions): Promise<Items> {
    const names = Map.groupBy(keys, kindOf)
    const found = itemKinds.map((kind) => this.#kinds[kind].read((names.get(kind) ?? []).map(nameOf), options))
    return Object.assign({}, ...(await Promise.all(found)))
  }

  async problems(changes: readonly ItemChange[], options: KindOptions): Promise<readonly string[]> {
    const found = itemKinds.map((kind) => this.#kinds[kind].problems(ofKind(changes, kind), options))
    return (await Promise.all(found)).flat()
  }

  async write(kind: ItemKind, changes: readonly ItemChange[], options: KindOptions): Promise<void> {
    await this.#kinds[kind].write(ofKind(changes, kind), options)
  }

  /** What is to be in force after a boot. */
  async keepSysctls(owned: OwnedItems): Promise<void> {
    const settings = Object.entries(owned).filter(([key]) => kindOf(key) === 'sysctl')
    await this.#kinds.sysctl.keep(Object.fromEntries(settings.map(([key, { value }]) => [key, value])))
  }
}

const ofKind = (changes: readonly ItemChange[], kind: ItemKind): readonly ItemChange[] =>
  changes.filter(({ key }) => kindOf(key) === kind)
