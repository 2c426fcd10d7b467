import { defaultGroupName, type ImageRules, imageRules } from '@berth/core'
import type { State } from '../records/index.ts'

/** What holds for a node. */
export const imageRulesOf = (state: State, name: string): ImageRules => {
  const node = state.nodes.get(name)
  return imageRules(state.groups.get(node?.group ?? defaultGroupName)?.images, node?.images)
}
