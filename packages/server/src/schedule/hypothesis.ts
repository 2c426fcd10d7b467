import type { ImaginedNodes } from '@berth/api'
import { BerthError, type Books, defaultGroupName } from '@berth/core'
import type { State } from '../records/index.ts'
import { nameLabel } from './request-of.ts'

/** A cluster that is not: without some of its nodes, with others besides. */
export interface Hypothesis {
  readonly without?: readonly string[]
  readonly with?: readonly ImaginedNodes[]
}

export const isHypothetical = ({ without = [], with: added = [] }: Hypothesis): boolean =>
  without.length + added.length > 0

/** Books on which anything may be tried out. Throws `node.not-found`. */
export function imagine(books: Books, state: State, { without = [], with: added = [] }: Hypothesis): Books {
  const imagined = books.clone()
  for (const name of without) {
    if (!state.nodes.has(name))
      throw new BerthError('node.not-found', `plan without ${name}: there is no node ${name}; see: berth node ls`, {
        details: { node: name },
      })
    for (const id of imagined.instancesOn(name)) imagined.release(id)
    imagined.removeNode(name)
  }
  for (const [kind, { count, cpuMilli, memoryBytes, group = defaultGroupName, labels = {} }] of added.entries())
    for (let n = 1; n <= count; n++) {
      const name = `imagined-${kind + 1}-${n}`
      imagined.putNode({ name, group, cpuMilli, memoryBytes, labels: { ...labels, [nameLabel]: name } })
    }
  return imagined
}
