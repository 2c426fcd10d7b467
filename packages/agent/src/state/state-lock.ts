import { open, readFile, rm } from 'node:fs/promises'
import { BerthError } from '@berth/core'

/**
 * One agent a state directory. The lock file names its holder by pid and start time, so that a holder that died, and whose pid is
 * another's now, holds it no longer.
 */
export async function lockState(path: string): Promise<AsyncDisposable> {
  const own = `${process.pid} ${await startTimeOf(process.pid)}\n`
  for (let attempt = 0; attempt < 3; attempt += 1) {
    if (await tryCreate(path, own)) return { [Symbol.asyncDispose]: () => rm(path, { force: true }) }
    const holder = await readFile(path, 'utf8').catch(() => '')
    const [pid = 0, startTime = ''] = holder.trim().split(' ')
    if (startTime !== '' && Number(pid) !== process.pid && (await startTimeOf(Number(pid))) === startTime) {
      throw new BerthError(
        'agent.already-running',
        `lock ${path}: another agent (pid ${pid}) uses this state directory; stop it first`,
      )
    }
    await rm(path, { force: true })
  }
  throw new BerthError('agent.already-running', `lock ${path}: other agents keep taking it`)
}

async function tryCreate(path: string, content: string): Promise<boolean> {
  try {
    await using handle = await open(path, 'wx', 0o600)
    await handle.writeFile(content)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/** Field 22 of /proc/PID/stat, in clock ticks since boot; empty when there is no such process. */
async function startTimeOf(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  return (
    stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .at(19) ?? ''
  )
}
