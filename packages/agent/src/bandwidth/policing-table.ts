import { type PolicedAddress, policingTable, renderPolicing } from '@berth/core'
import { type Exec, mustRun } from '../network/run-command.ts'

/** Limits that hold by address, in the kernel. Calls must not overlap. */
export class PolicingTable {
  readonly #exec: Exec
  /** Unknown before the first time: another agent may have left one. */
  #text: string | undefined
  #listing = ''

  constructor(exec: Exec) {
    this.#exec = exec
  }

  /** Throws `network.command-failed` with what nft says; what was in force stays. */
  async put(addresses: readonly PolicedAddress[], signal?: AbortSignal): Promise<void> {
    const text = renderPolicing(addresses)
    if (text === this.#text && (addresses.length === 0 || (await this.#list(signal)) === this.#listing)) return
    this.#text = undefined
    await mustRun(this.#exec, 'nft', ['-f', '-'], { input: text, signal })
    this.#listing = addresses.length === 0 ? '' : await this.#list(signal)
    this.#text = text
  }

  /** Both families; nothing where one is missing. */
  async #list(signal: AbortSignal | undefined): Promise<string> {
    const listings: string[] = []
    for (const family of ['bridge', 'inet']) {
      const { code, stdout } = await this.#exec('nft', ['list', 'table', family, policingTable], { signal })
      if (code !== 0) return ''
      listings.push(stdout)
    }
    return listings.join('')
  }
}

/** Also where there is none. */
export const removePolicing = (exec: Exec, signal?: AbortSignal): Promise<string> =>
  mustRun(exec, 'nft', ['-f', '-'], { input: renderPolicing([]), signal })
