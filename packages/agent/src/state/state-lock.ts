import { readFile, readlink, rename, rm, symlink } from 'node:fs/promises'
import { BerthError } from '@berth/core'

/**
 * One agent a state directory. The lock names its holder by pid and start time, so that a holder that died, and whose pid is another's
 * now, holds it no longer. It is a symbolic link that leads nowhere: made and filled in one step, and without a block of a disk that may be
 * full.
 */
export async function lockState(path: string): Promise<AsyncDisposable> {
  const own = `${process.pid} ${await startTimeOf(process.pid)}`
  for (let attempt = 0; attempt < 3; attempt += 1) {
    if (await tryCreate(path, own)) return { [Symbol.asyncDispose]: () => release(path, own) }
    const holder = await holderOf(path)
    if (holder === undefined) continue
    if (await isAlive(holder)) throw taken(path, holder)
    await removeStale(path, holder)
  }
  throw new BerthError('agent.already-running', `lock ${path}: other agents keep taking it`)
}

const taken = (path: string, holder: string): BerthError =>
  new BerthError(
    'agent.already-running',
    `lock ${path}: another agent (pid ${holder.split(' ')[0]}) uses this state directory; stop it first`,
  )

async function tryCreate(path: string, content: string): Promise<boolean> {
  try {
    await symlink(content, path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/** undefined when there is no lock. */
async function holderOf(path: string): Promise<string | undefined> {
  try {
    return await readlink(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    // A file, as agents made it before.
    if (code === 'EINVAL') return (await readFile(path, 'utf8')).trim()
    throw error
  }
}

async function isAlive(holder: string): Promise<boolean> {
  const [pid = 0, startTime = ''] = holder.split(' ')
  return startTime !== '' && Number(pid) !== process.pid && (await startTimeOf(Number(pid))) === startTime
}

/** Two agents may find the same stale lock: what is taken away is looked at again, and put back when it is the other's fresh one. */
async function removeStale(path: string, stale: string): Promise<void> {
  const aside = `${path}.${process.pid}`
  await rename(path, aside).catch(() => undefined)
  const found = await holderOf(aside)
  if (found !== undefined && found !== stale) await tryCreate(path, found)
  await rm(aside, { force: true })
}

async function release(path: string, own: string): Promise<void> {
  if ((await holderOf(path)) === own) await rm(path, { force: true })
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
