import { type PolicedAddress, policingTable, renderPolicing } from '@berth/core'
import { type Exec, mustRun } from '../network/run-command.ts'

/** Limits that hold by address, in the kernel. Calls must not overlap. */
export class PolicingTable {
  readonly #exec: Exec
  /** Unknown before the first time: another agent may have left one. */
  #text: string | undefined
  /** undefined: it was gone again when it was looked at, and is made anew. */
  #listing: string | undefined

  constructor(exec: Exec) {
    this.#exec = exec
  }

  /** Throws `network.command-failed` with what nft says; what was in force stays. */
  async put(addresses: readonly PolicedAddress[], signal?: AbortSignal): Promise<void> {
    const text = renderPolicing(addresses)
    if (text === this.#text && (addresses.length === 0 || (await this.#isThere(signal)))) return
    this.#text = undefined
    await mustRun(this.#exec, 'nft', ['-f', '-'], { input: text, signal })
    this.#listing = addresses.length === 0 ? undefined : await this.#list(signal)
    this.#text = text
  }

  async #isThere(signal: AbortSignal | undefined): Promise<boolean> {
    const found = await this.#list(signal)
    return found !== undefined && found === this.#listing
  }

  /** Both families; undefined where one is missing. */
  async #list(signal: AbortSignal | undefined): Promise<string | undefined> {
    const listings: string[] = []
    for (const family of ['bridge', 'inet']) {
      const { code, stdout } = await this.#exec('nft', ['list', 'table', family, policingTable], { signal })
      if (code !== 0) return undefined
      listings.push(stdout)
    }
    return listings.join('')
  }
}

/** Also where there is none. */
export const removePolicing = (exec: Exec, signal?: AbortSignal): Promise<string> =>
  mustRun(exec, 'nft', ['-f', '-'], { input: renderPolicing([]), signal })
