import { type Exec, runCommand } from '../network/run-command.ts'

/** Far beyond what any look may take; a file system that hangs must not hold the watch for ever. */
const timeoutMs = 300_000

/**
 * What directories occupy on their disks, in bytes; those that are gone are left out. By `du` at the lowest priority for CPU and disk: it
 * walks a million files in a second and needs no memory of ours. Hard links count once, other file systems below do not count.
 */
export async function measureDirectories(
  directories: readonly string[],
  options: { readonly signal?: AbortSignal; readonly exec?: Exec } = {},
): Promise<ReadonlyMap<string, number>> {
  const { signal, exec = runCommand } = options
  const usage = new Map<string, number>()
  if (directories.length === 0) return usage
  const argv = ['-c', '3', 'nice', '-n', '19', 'du', '-s', '-x', '--block-size=1', '--', ...directories]
  // Files come and go meanwhile, of which du complains; what it could count it tells all the same.
  const { stdout } = await exec('ionice', argv, { ...(signal && { signal }), timeoutMs })
  for (const line of stdout.split('\n')) {
    const tab = line.indexOf('\t')
    if (tab > 0) usage.set(line.slice(tab + 1), Number(line.slice(0, tab)))
  }
  return usage
}
