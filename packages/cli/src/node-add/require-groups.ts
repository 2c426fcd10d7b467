import { BerthError } from '@berth/core'
import type { MachineEntry } from './machine-entry.ts'

/** Before anything is done on any machine: a group that is not there would only be missed at the token, after the copy. Throws `group.not-found`. */
export function requireGroups(entries: readonly MachineEntry[], groups: readonly string[]): void {
  const wanted = new Set(entries.flatMap(({ group }) => (group === undefined ? [] : [group])))
  const missing = [...wanted].filter((group) => !groups.includes(group))
  if (missing.length === 0) return
  const make = missing.map((group) => `berth group create ${group}`).join(', ')
  throw new BerthError(
    'group.not-found',
    `add machines: there is no node group ${missing.join(', ')}; there are: ${groups.join(', ')}. Make it first: ${make}`,
  )
}
