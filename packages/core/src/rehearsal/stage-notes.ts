import type { Instance } from '../model/index.ts'
import { isServing, type ObservedInstance } from '../reconcile/pool-snapshot.ts'
import type { NodeUse } from './rehearsed-pool.ts'

export interface RehearsedInstance {
  readonly instance: string
  readonly entrypoint: string
  readonly release: string
  readonly node: string
  /** Of an entrypoint that keeps its addresses: which of them it has. */
  readonly slot?: number
}

/** How many of an entrypoint serve at the least and at the most. */
export interface ServingRange {
  readonly lowest: number
  readonly highest: number
}

/** What happens within one stage. */
export interface RehearsedStage {
  /** In the order in which they find their nodes; those of the release that is left, made anew, among them. */
  readonly created: readonly RehearsedInstance[]
  /** In the order in which they leave. */
  readonly left: readonly RehearsedInstance[]
  readonly serving: Readonly<Record<string, ServingRange>>
  /** The most that is given out at a time on each node that gets an instance or loses one. */
  readonly peaks: Readonly<Record<string, NodeUse>>
}

/** What is written down of one stage while it is gone through. */
export class StageNotes {
  readonly #usedOn: (node: string) => NodeUse | undefined
  readonly #created: RehearsedInstance[] = []
  readonly #left: RehearsedInstance[] = []
  readonly #serving = new Map<string, ServingRange>()
  readonly #peaks = new Map<string, NodeUse>()

  constructor(usedOn: (node: string) => NodeUse | undefined) {
    this.#usedOn = usedOn
  }

  get stage(): RehearsedStage {
    return {
      ...{ created: this.#created, left: this.#left },
      ...{ serving: Object.fromEntries(this.#serving), peaks: Object.fromEntries(this.#peaks) },
    }
  }

  created(instance: Instance | undefined): void {
    this.#note(instance, this.#created)
  }

  left(instance: Instance | undefined): void {
    this.#note(instance, this.#left)
  }

  /** To be asked whenever something has changed. */
  count(names: Iterable<string>, instances: Iterable<ObservedInstance>): void {
    const serving = new Map([...names].map((name) => [name, 0]))
    for (const each of instances) {
      const { entrypoint } = each.instance
      if (isServing(each)) serving.set(entrypoint, (serving.get(entrypoint) ?? 0) + 1)
    }
    for (const [name, count] of serving) {
      const { lowest, highest } = this.#serving.get(name) ?? { lowest: count, highest: count }
      this.#serving.set(name, { lowest: Math.min(lowest, count), highest: Math.max(highest, count) })
    }
  }

  #note(instance: Instance | undefined, list: RehearsedInstance[]): void {
    if (instance?.node === undefined) return
    const { id, entrypoint, release, node, slot } = instance
    list.push({ instance: id, entrypoint, release, node, ...(slot === undefined ? {} : { slot }) })
    const used = this.#usedOn(node)
    const most = this.#peaks.get(node)
    if (used === undefined) return
    this.#peaks.set(node, {
      ...used,
      cpuMilli: Math.max(used.cpuMilli, most?.cpuMilli ?? 0),
      memoryBytes: Math.max(used.memoryBytes, most?.memoryBytes ?? 0),
    })
  }
}
