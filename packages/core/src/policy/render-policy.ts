import { formatAddress } from '../network/address-block.ts'
import { type AddressSet, changedAddresses, formatAddresses, noAddresses } from './address-set.ts'
import { type AddressSet6, changedAddresses6, noAddresses6 } from './address-set6.ts'
import { dropSetDefinitions } from './drop-log.ts'
import type { PolicyChain, PolicyTable } from './policy-table.ts'

export const policyTableName = 'inet berth-policy'

/** Replaces whatever is there by it, in one transaction. */
export function renderTable(table: PolicyTable): string {
  const create = `add table ${policyTableName}\n`
  const drops = dropSetDefinitions.map(([name, definition]) => `add set ${at(name)} { ${definition} }`)
  return `${create}delete table ${policyTableName}\n${create}${[...drops, ...renderParts(emptyTable, table)].join('\n')}\n`
}

/** Takes it away, also where it is not. */
export const renderNoTable = (): string => `add table ${policyTableName}\ndelete table ${policyTableName}\n`

/** What makes `after` of `before`, in one transaction; undefined when nothing has changed. */
export function renderTableChange(before: PolicyTable, after: PolicyTable): string | undefined {
  const lines = renderParts(before, after)
  return lines.length === 0 ? undefined : `${lines.join('\n')}\n`
}

const emptyTable: PolicyTable = {
  ...{ sets: new Map(), maps: new Map(), sets6: new Map(), maps6: new Map() },
  ...{ chains: new Map(), counters: new Map() },
}

/** What is pointed to exists before who points, and goes after. */
function renderParts(before: PolicyTable, after: PolicyTable): string[] {
  const chains = changedChains(before, after)
  const maps = [mapChanges(before.maps, after.maps, formatAddress), mapChanges(before.maps6, after.maps6, String)]
  return [
    ...newNames(before.counters, after.counters).map((name) => `add counter ${at(name)}`),
    ...newNames(before.sets, after.sets).map((name) => `add set ${at(name)} { type ipv4_addr; }`),
    ...newNames(before.sets6, after.sets6).map((name) => `add set ${at(name)} { type ipv6_addr; }`),
    ...newNames(before.maps, after.maps).map((name) => `add map ${at(name)} { type ipv4_addr : verdict; }`),
    ...newNames(before.maps6, after.maps6).map((name) => `add map ${at(name)} { type ipv6_addr : verdict; }`),
    ...chains.map(({ name, chain }) => `add chain ${at(name)}${chain.hook === undefined ? '' : ` { ${chain.hook} }`}`),
    ...maps.flatMap(({ removed }) => removed),
    ...newNames(after.chains, before.chains).map((name) => `flush chain ${at(name)}`),
    ...chains.flatMap(({ name, chain, isNew }) => [
      ...(isNew ? [] : [`flush chain ${at(name)}`]),
      ...chain.rules.map((rule) => `add rule ${at(name)} ${rule}`),
    ]),
    ...maps.flatMap(({ added }) => added),
    ...setChanges(before, after),
    ...newNames(after.chains, before.chains).map((name) => `delete chain ${at(name)}`),
    ...newNames(after.maps6, before.maps6).map((name) => `delete map ${at(name)}`),
    ...newNames(after.sets, before.sets).map((name) => `delete set ${at(name)}`),
    ...newNames(after.sets6, before.sets6).map((name) => `delete set ${at(name)}`),
    ...newNames(after.counters, before.counters).map((name) => `delete counter ${at(name)}`),
  ]
}

const at = (name: string): string => `${policyTableName} ${name}`

const newNames = (before: ReadonlyMap<string, unknown>, after: ReadonlyMap<string, unknown>): string[] =>
  before === after ? [] : [...after.keys()].filter((name) => !before.has(name))

function changedChains(
  before: PolicyTable,
  after: PolicyTable,
): { readonly name: string; readonly chain: PolicyChain; readonly isNew: boolean }[] {
  if (before.chains === after.chains) return []
  return [...after.chains].flatMap(([name, chain]) => {
    const old = before.chains.get(name)
    return old !== undefined && isSameChain(old, chain) ? [] : [{ name, chain, isNew: old === undefined }]
  })
}

const isSameChain = (a: PolicyChain, b: PolicyChain): boolean =>
  a === b || (a.rules.length === b.rules.length && a.rules.every((rule, index) => rule === b.rules[index]))

function mapChanges<Key>(
  before: ReadonlyMap<string, ReadonlyMap<Key, string>>,
  after: ReadonlyMap<string, ReadonlyMap<Key, string>>,
  format: (address: Key) => string,
): { readonly removed: string[]; readonly added: string[] } {
  const removed: string[] = []
  const added: string[] = []
  const verdict = ([address, chain]: readonly [Key, string]): string => `${format(address)} : jump ${chain}`
  for (const name of before === after ? [] : new Set([...before.keys(), ...after.keys()])) {
    const [old, elements] = [before.get(name) ?? new Map<Key, string>(), after.get(name) ?? new Map<Key, string>()]
    const gone = [...old].filter(([address, chain]) => elements.get(address) !== chain)
    const come = [...elements].filter(([address, chain]) => old.get(address) !== chain)
    if (gone.length > 0) removed.push(`delete element ${at(name)} { ${gone.map(verdict).join(', ')} }`)
    if (come.length > 0) added.push(`add element ${at(name)} { ${come.map(verdict).join(', ')} }`)
  }
  return { removed, added }
}

function setChanges(before: PolicyTable, after: PolicyTable): string[] {
  return [
    ...[...after.sets].flatMap(([name, set]) => elementLines(name, before.sets.get(name) ?? noAddresses, set)),
    ...[...after.sets6].flatMap(([name, set]) => elementLines6(name, before.sets6.get(name) ?? noAddresses6, set)),
  ]
}

function elementLines(name: string, before: AddressSet, after: AddressSet): string[] {
  if (before === after) return []
  const { added, removed } = before.length === 0 ? { added: after, removed: [] } : changedAddresses(before, after)
  return changeLines(name, formatAddresses(added), formatAddresses(removed))
}

function elementLines6(name: string, before: AddressSet6, after: AddressSet6): string[] {
  if (before === after) return []
  const { added, removed } = changedAddresses6(before, after)
  return changeLines(name, added.join(', '), removed.join(', '))
}

const changeLines = (name: string, added: string, removed: string): string[] => [
  ...(removed === '' ? [] : [`delete element ${at(name)} { ${removed} }`]),
  ...(added === '' ? [] : [`add element ${at(name)} { ${added} }`]),
]
