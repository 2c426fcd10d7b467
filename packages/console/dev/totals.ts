import type { NodeView } from '@berth/api/node-resources'
import type { MockStore } from './mock-store.ts'

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0)

/** What runs on a node, as the server would count it. */
export function countNode(store: MockStore, node: NodeView): NodeView {
  const own = store.all('listInstances').filter((each) => each.node === node.name && each.phase !== 'ended')
  return {
    ...node,
    instances: own.length,
    cpuGivenMilli: sum(own.map(({ cpuMilli = 0 }) => cpuMilli)),
    memoryGivenBytes: sum(own.map(({ memoryBytes = 0 }) => memoryBytes)),
  }
}

/** Groups with what their nodes have and what is given out there. */
export function countGroups(store: MockStore): void {
  for (const group of store.all('listGroups')) {
    const own = store.all('listNodes').filter((each) => (each.group ?? 'default') === group.name)
    store.put('listGroups', {
      ...group,
      nodes: own.length,
      instances: sum(own.map(({ instances }) => instances)),
      cpuMilli: sum(own.map(({ cpuMilli }) => cpuMilli)),
      cpuGivenMilli: sum(own.map(({ cpuGivenMilli }) => cpuGivenMilli)),
      memoryBytes: sum(own.map(({ memoryBytes }) => memoryBytes)),
      memoryGivenBytes: sum(own.map(({ memoryGivenBytes }) => memoryGivenBytes)),
    })
  }
}
