import { closest, type Node } from '@berth/core'
import { missingText } from '../policy/decision-view.ts'
import { byHandEnds } from '../policy/profile-of.ts'
import type { State } from '../records/index.ts'

/** Of containers that were started on a node by hand and let nothing pass, since their profiles are not there or not in force. */
export function byHandProblems(state: State, node: Node): readonly string[] {
  const exists = (name: string): boolean => state.profiles.has(name)
  return [...byHandEnds(state, node, exists)].flatMap(([address, { named = [], closed }]) => {
    const whose = `the container at ${address}, which was started by hand, is closed`
    const missing = named.filter((name) => !exists(name))
    if (missing.length > 0) return [`${whose}: ${missingText(missing)}${hintOf(state, missing)}`]
    return closed === undefined ? [] : [`${whose}, its profiles are not in force: ${closed}`]
  })
}

/** `docker run` writes all that it is told in small letters. */
function hintOf(state: State, missing: readonly string[]): string {
  const near = missing.flatMap((name) => closest(name, state.profiles.ids()) ?? [])
  if (near.length === 0) return ''
  const inCapitals = near.find((name) => missing.includes(name.toLowerCase()))
  return inCapitals === undefined
    ? ` (did you mean ${near.join(', ')}?)`
    : ` (docker run writes names in small letters; ${inCapitals} can be named by docker network connect)`
}
