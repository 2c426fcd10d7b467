import type { CpuMode } from '../model/node-group.ts'

/** A node that is connected, as far as it matters for building on it. */
export interface BuildNode {
  readonly name: string
  /** Labelled `build=true`. */
  readonly isBuilder: boolean
  /** Of its group. */
  readonly cpu: CpuMode
  /** It takes new instances. */
  readonly schedulable: boolean
  /** Builds that run on it. */
  readonly builds: number
  readonly instances: number
}

export interface ChosenBuildNode {
  readonly name: string
  /** Why its kind: `builder` are those labelled so, `shared` have no owners of cores whom a build would disturb, `bound` are all the others. */
  readonly kind: 'builder' | 'shared' | 'bound'
}

const kinds: readonly { readonly kind: ChosenBuildNode['kind']; readonly has: (node: BuildNode) => boolean }[] = [
  // One that takes no instances, so that it is free for builds, takes these.
  { kind: 'builder', has: ({ isBuilder }) => isBuilder },
  { kind: 'shared', has: ({ cpu, schedulable }) => cpu === 'shared' && schedulable },
  { kind: 'bound', has: ({ cpu, schedulable }) => cpu === 'bound' && schedulable },
]

/**
 * Where a build runs: on the builders where there are any, else in `shared` groups, and among nodes whose cores have owners only where there
 * is nothing else. Of these on the node of the app's last build, which has its layers, unless that builds something else and another one
 * does not; else on the one with the fewest builds, then the fewest instances. undefined: none may build.
 */
export function chooseBuildNode(nodes: readonly BuildNode[], last: string | undefined): ChosenBuildNode | undefined {
  for (const { kind, has } of kinds) {
    const [best] = nodes.filter(has).sort((a, b) => compare(a, b, last))
    if (best !== undefined) return { name: best.name, kind }
  }
  return undefined
}

function compare(a: BuildNode, b: BuildNode, last: string | undefined): number {
  const isBusy = (node: BuildNode): number => Number(node.builds > 0)
  const isOther = (node: BuildNode): number => Number(node.name !== last)
  return (
    isBusy(a) - isBusy(b) ||
    isOther(a) - isOther(b) ||
    a.builds - b.builds ||
    a.instances - b.instances ||
    (a.name < b.name ? -1 : 1)
  )
}
