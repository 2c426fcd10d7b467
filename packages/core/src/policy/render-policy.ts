import { formatAddress } from '../network/address-block.ts'
import { type AddressSet, changedAddresses, formatAddresses, noAddresses } from './address-set.ts'
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

const emptyTable: PolicyTable = { sets: new Map(), maps: new Map(), chains: new Map(), counters: new Map() }

/** What is pointed to exists before who points, and goes after. */
function renderParts(before: PolicyTable, after: PolicyTable): string[] {
  const chains = changedChains(before, after)
  const maps = mapChanges(before, after)
  return [
    ...newNames(before.counters, after.counters).map((name) => `add counter ${at(name)}`),
    ...newNames(before.sets, after.sets).map((name) => `add set ${at(name)} { type ipv4_addr; }`),
    ...newNames(before.maps, after.maps).map((name) => `add map ${at(name)} { type ipv4_addr : verdict; }`),
    ...chains.map(({ name, chain }) => `add chain ${at(name)}${chain.hook === undefined ? '' : ` { ${chain.hook} }`}`),
    ...maps.removed,
    ...newNames(after.chains, before.chains).map((name) => `flush chain ${at(name)}`),
    ...chains.flatMap(({ name, chain, isNew }) => [
      ...(isNew ? [] : [`flush chain ${at(name)}`]),
      ...chain.rules.map((rule) => `add rule ${at(name)} ${rule}`),
    ]),
    ...maps.added,
    ...setChanges(before, after),
    ...newNames(after.chains, before.chains).map((name) => `delete chain ${at(name)}`),
    ...newNames(after.sets, before.sets).map((name) => `delete set ${at(name)}`),
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

function mapChanges(before: PolicyTable, after: PolicyTable): { readonly removed: string[]; readonly added: string[] } {
  const removed: string[] = []
  const added: string[] = []
  for (const [name, elements] of before.maps === after.maps ? [] : after.maps) {
    const old = before.maps.get(name) ?? new Map<number, string>()
    const gone = [...old].filter(([address, chain]) => elements.get(address) !== chain)
    const come = [...elements].filter(([address, chain]) => old.get(address) !== chain)
    if (gone.length > 0) removed.push(`delete element ${at(name)} { ${gone.map(verdict).join(', ')} }`)
    if (come.length > 0) added.push(`add element ${at(name)} { ${come.map(verdict).join(', ')} }`)
  }
  return { removed, added }
}

const verdict = ([address, chain]: readonly [number, string]): string => `${formatAddress(address)} : jump ${chain}`

function setChanges(before: PolicyTable, after: PolicyTable): string[] {
  return [...after.sets].flatMap(([name, set]) => {
    const old = before.sets.get(name) ?? noAddresses
    return old === set ? [] : elementLines(name, old, set)
  })
}

function elementLines(name: string, before: AddressSet, after: AddressSet): string[] {
  const { added, removed } = before.length === 0 ? { added: after, removed: [] } : changedAddresses(before, after)
  return [
    ...(removed.length === 0 ? [] : [`delete element ${at(name)} { ${formatAddresses(removed)} }`]),
    ...(added.length === 0 ? [] : [`add element ${at(name)} { ${formatAddresses(added)} }`]),
  ]
}
