import { type PolicedAddress, policingTable, renderPolicing } from '@berth/core'
import { type Exec, mustRun } from '../network/run-command.ts'
import { createTableKeeper } from '../network/table-keeper.ts'

/** Limits that hold by address, in the kernel. Calls must not overlap. */
export class PolicingTable {
  readonly #keep: ReturnType<typeof createTableKeeper>

  constructor(exec: Exec) {
    this.#keep = createTableKeeper(exec, [`bridge ${policingTable}`, `inet ${policingTable}`])
  }

  /** Throws `network.command-failed` with what nft says; what was in force stays. */
  async put(addresses: readonly PolicedAddress[], signal?: AbortSignal): Promise<void> {
    await this.#keep(renderPolicing(addresses), { signal, isRemoval: addresses.length === 0 })
  }
}

/** Also where there is none. */
export const removePolicing = (exec: Exec, signal?: AbortSignal): Promise<string> =>
  mustRun(exec, 'nft', ['-f', '-'], { input: renderPolicing([]), signal })
