import {
  addressSet,
  addressSet6,
  countAddresses6,
  isSameSet,
  isSameSet6,
  type PolicyTable,
  policyTableName,
} from '@berth/core'
import { type Exec, mustRun } from '../network/run-command.ts'

/** More elements are not listed every time. */
const mostListed = 5_000
const timeoutMs = 30_000
const tableWords = policyTableName.split(' ')

export const isLarge = (table: PolicyTable): boolean => sum(setSizes(table)) > mostListed

const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0)

const setSizes = ({ sets, sets6 }: PolicyTable): number[] => [
  ...[...sets.values()].map((set) => set.length),
  ...[...sets6.values()].map(countAddresses6),
]

/** The table as the kernel shows it, to be compared with what it showed before; of a large one without the elements of sets. */
export async function listTable(exec: Exec, table: PolicyTable, signal?: AbortSignal): Promise<string> {
  const list = async (...words: string[]): Promise<string> =>
    (await exec('nft', ['-s', ...words], { signal, timeoutMs })).stdout
  if (!isLarge(table)) return withoutDrops(await list('list', 'table', ...tableWords))
  const parts = [await list('-t', 'list', 'table', ...tableWords)]
  for (const map of [...table.maps.keys(), ...table.maps6.keys()])
    parts.push(await list('list', 'map', ...tableWords, map))
  return parts.join('')
}

/** Without what has been noted of dropped packets, which changes by itself. */
const withoutDrops = (listing: string): string =>
  listing.replaceAll(/^(\tset dropped-\w+ \{\n(?:\t\t(?!elements).*\n)*)\t\telements = \{[^}]*\}\n/gm, '$1')

/**
 * Whether a listing has as many rules and elements as the table: taken just after the table was made, it may be of what somebody
 * has changed since.
 */
export function isListingOf(table: PolicyTable, listing: string): boolean {
  const chains = [...listing.matchAll(/^\tchain \S+ \{\n((?:\t\t.*\n)*)\t\}$/gm)].map(
    ([, body = '']) => body.split('\n').length - 1,
  )
  const wanted = [...table.chains.values()].map(({ hook, rules }) => rules.length + (hook === undefined ? 0 : 1))
  if (sum(chains) !== sum(wanted) || chains.length !== wanted.length) return false
  const elements = [...listing.matchAll(/^\t\telements = \{([^}]*)\}$/gm)].map(
    ([, body = '']) => body.split(',').length,
  )
  const sets = isLarge(table) ? [] : setSizes(table)
  const maps = [...table.maps.values(), ...table.maps6.values()].map((map) => map.size)
  return sum(elements) === sum([...sets, ...maps])
}

/** Whether every set has the elements that it should have. */
export async function setsHold(exec: Exec, table: PolicyTable, signal?: AbortSignal): Promise<boolean> {
  const text = await mustRun(exec, 'nft', ['-j', 'list', 'table', ...tableWords], { signal, timeoutMs })
  const { nftables } = JSON.parse(text) as { readonly nftables: readonly Listed[] }
  const found = new Map(nftables.flatMap(({ set }) => (set === undefined ? [] : [[set.name, set.elem ?? []] as const])))
  return (
    [...table.sets].every(([name, wanted]) => holds(found.get(name), (all) => isSameSet(wanted, addressSet(all)))) &&
    [...table.sets6].every(([name, wanted]) => holds(found.get(name), (all) => isSameSet6(wanted, addressSet6(all))))
  )
}

interface Listed {
  readonly set?: { readonly name: string; readonly elem?: readonly unknown[] }
}

/** Anything but addresses is not ours, and makes the set another one. */
function holds(elements: readonly unknown[] = [], isWanted: (addresses: readonly string[]) => boolean): boolean {
  const texts = elements.filter((each) => typeof each === 'string')
  return texts.length === elements.length && isWanted(texts)
}
