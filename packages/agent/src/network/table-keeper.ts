import { type Exec, mustRun } from './run-command.ts'

export interface KeepOptions {
  readonly signal?: AbortSignal | undefined
  /** The ruleset leaves no table: once it is in force there is nothing to look at. */
  readonly isRemoval?: boolean
  /** Tried first instead of the ruleset, where the tables are there: it makes the same of them and keeps what they have counted. */
  readonly update?: (() => Promise<string | undefined>) | undefined
}

/**
 * Keeps tables of nftables (`inet berth`) as rendered: one that was changed or flushed by others is replaced, also one that was gone again
 * when it was first looked at. Calls must not overlap. Throws `network.command-failed` with what nft says; what was in force stays.
 */
export function createTableKeeper(
  exec: Exec,
  names: readonly string[],
): (ruleset: string, options?: KeepOptions) => Promise<void> {
  let applied: { readonly ruleset: string; readonly listing: string | undefined } | undefined
  /** undefined: one of them is missing. */
  const list = async (signal: AbortSignal | undefined): Promise<string | undefined> => {
    const listings: string[] = []
    for (const name of names) {
      const { code, stdout } = await exec('nft', ['list', 'table', ...name.split(' ')], { signal })
      if (code !== 0) return undefined
      listings.push(stdout)
    }
    return listings.join('')
  }
  return async (ruleset, { signal, isRemoval = false, update } = {}) => {
    if (applied?.ruleset === ruleset) {
      if (isRemoval) return
      const found = await list(signal)
      if (found !== undefined && found === applied.listing) return
    }
    applied = undefined
    const gentle = await update?.()
    const { code } = gentle === undefined ? { code: 1 } : await exec('nft', ['-f', '-'], { input: gentle, signal })
    if (code !== 0) await mustRun(exec, 'nft', ['-f', '-'], { input: ruleset, signal })
    applied = { ruleset, listing: isRemoval ? undefined : await list(signal) }
  }
}
