import { tmpdir } from 'node:os'
import { CommandTimeoutError, runCommand } from './run-command.ts'
import { sourceFailure, sourceTimeout } from './source-failure.ts'

interface ListCall {
  readonly env: Readonly<Record<string, string>>
  readonly signal: AbortSignal | undefined
  readonly timeoutMs: number
}

/** Some ten thousand branches and tags; who has more narrows nothing by it. */
const maxOutputBytes = 4 * 1024 * 1024

/** `shown` is the repository for messages, `address` its arguments. Nothing is kept of it, and no repository of ours is looked at. */
export async function listRemoteRefs(
  shown: string,
  address: readonly string[],
  { env, signal, timeoutMs }: ListCall,
): Promise<ReadonlyMap<string, string>> {
  const what = `list the branches of ${shown}`
  const argv = ['git', 'ls-remote', '--quiet', '--heads', '--tags', ...address]
  // A folder above it that happens to be a work tree is none of its business.
  const ownEnv = { ...env, GIT_CEILING_DIRECTORIES: tmpdir() }
  try {
    const run = { env: ownEnv, cwd: tmpdir(), signal, timeoutMs, maxOutputBytes }
    const { code, stdout, stderr } = await runCommand(argv, run)
    if (code !== 0) throw sourceFailure('git', what, stderr)
    return parseRefs(stdout.toString('utf8'))
  } catch (error) {
    throw error instanceof CommandTimeoutError ? sourceTimeout(what, timeoutMs) : error
  }
}

/** `<commit>\t<ref>`; an annotated tag is told twice, the second time (`^{}`) with the commit that it names. */
export function parseRefs(output: string): Map<string, string> {
  const refs = new Map<string, string>()
  for (const line of output.split('\n')) {
    const [, commit, ref, peeled] =
      /^([0-9a-f]{40}|[0-9a-f]{64})\t(refs\/(?:heads|tags)\/.+?)(\^\{\})?$/.exec(line) ?? []
    if (commit === undefined || ref === undefined) continue
    if (peeled !== undefined || !refs.has(ref)) refs.set(ref, commit)
  }
  return refs
}
