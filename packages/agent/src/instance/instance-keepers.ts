import type { Assignment } from '@berth/core'
import type { ContainerView } from '../engine/engine.ts'
import type { WatchTarget } from '../metrics/collector.ts'

/** A part of the agent that does something for each instance of the node: its rules, its limits, its name, its measurements. */
export interface InstanceKeeper {
  /** All that are here, whenever one comes, goes or is changed. */
  setInstances?(assignments: readonly Assignment[]): void
  /** Resolves when what has to hold before the first packet of an instance does. What it throws keeps the instance from starting. */
  ready?(assignment: Assignment): Promise<void>
  /** Its container is in these networks, with these addresses while it runs. */
  joined?(assignment: Assignment, networks: ContainerView['networks']): void
  /** It runs, under this process; also for another process or other limits. */
  watch?(instance: string, target: WatchTarget): void
  /** It does not run any more. */
  forget?(instance: string): void
}

/** All of them as one, told in their order. */
export class InstanceKeepers implements Required<InstanceKeeper> {
  readonly #keepers: readonly InstanceKeeper[]

  constructor(keepers: readonly InstanceKeeper[]) {
    this.#keepers = keepers
  }

  setInstances(assignments: readonly Assignment[]): void {
    for (const keeper of this.#keepers) keeper.setInstances?.(assignments)
  }

  async ready(assignment: Assignment): Promise<void> {
    for (const keeper of this.#keepers) await keeper.ready?.(assignment)
  }

  joined(assignment: Assignment, networks: ContainerView['networks']): void {
    for (const keeper of this.#keepers) keeper.joined?.(assignment, networks)
  }

  watch(instance: string, target: WatchTarget): void {
    for (const keeper of this.#keepers) keeper.watch?.(instance, target)
  }

  forget(instance: string): void {
    for (const keeper of this.#keepers) keeper.forget?.(instance)
  }
}
