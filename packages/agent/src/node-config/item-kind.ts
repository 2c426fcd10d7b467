import type { ItemChange, Items } from '@berth/core'

export interface KindOptions {
  readonly signal: AbortSignal
}

/** How items of one kind are found and made what they are to be. Names are without the kind. */
export interface MachineItems {
  /** Values as they are now; `null` for what is not there. */
  read(names: readonly string[], options: KindOptions): Promise<Items>
  /** Every change may be made again after a crash in the middle. Throws with what stands in the way. */
  write(changes: readonly ItemChange[], options: KindOptions): Promise<void>
  /** What stands in the way of it, one sentence each. */
  problems(changes: readonly ItemChange[], options: KindOptions): Promise<readonly string[]>
}
