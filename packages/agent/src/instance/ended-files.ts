import { mkdir, readdir, rename, rmdir, statfs } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { messageOf } from '@berth/core'
import type { Logger } from 'pino'
import { type Exec, runCommand } from '../network/run-command.ts'

export interface EndedFilesOptions {
  /** Of every instance that is here: `<app>/<pool>/<entrypoint>-<ordinal>` below it. */
  readonly persistDir: string
  readonly keepMs: number
  readonly log: Logger
  readonly exec?: Exec
  /** Share of the file system that is free. */
  readonly freeShare?: (path: string) => Promise<number>
  readonly now?: () => number
}

/** No app can be called so. */
const endedName = '.ended'
/** Below this the oldest go before their time: the disk is for what runs. */
const lowFreeShare = 0.1
const removalTimeoutMs = 600_000

interface Ended {
  readonly path: string
  readonly endedAt: number
}

/**
 * What instances left in `/persist`, after their end. It is set aside under the time of the end, so that an instance that gets the same
 * name finds an empty directory, kept for a bounded time, and then removed; the oldest before their time when the disk gets full.
 *
 * The directories belong to containers: no link in them is followed, and nothing in them is read.
 */
export class EndedFiles {
  readonly #options: EndedFilesOptions
  readonly #now: () => number

  constructor(options: EndedFilesOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
  }

  /** Where it is kept. */
  get directory(): string {
    return join(this.#options.persistDir, endedName)
  }

  get keepMs(): number {
    return this.#options.keepMs
  }

  /** One that is empty, or holds nothing but an empty `logs`, goes at once. One that is not there is no error. */
  async setAside(persist: string): Promise<void> {
    for (const directory of [join(persist, 'logs'), persist]) await rmdir(directory).catch(() => undefined)
    const name = relative(this.#options.persistDir, persist)
    const stamp = new Date(this.#now())
      .toISOString()
      .replace(/\.\d+Z$/, 'Z')
      .replaceAll(/[-:]/g, '')
    for (let number = 1; ; number += 1) {
      const target = join(this.directory, `${name}@${stamp}${number === 1 ? '' : `.${number}`}`)
      await mkdir(dirname(target), { recursive: true, mode: 0o700 })
      try {
        await rename(persist, target)
        return this.#options.log.info({ kept: target }, 'set aside what an instance left in /persist')
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException
        if (code === 'ENOENT') return
        // Another one that ended in the same second.
        if ((code !== 'ENOTEMPTY' && code !== 'EEXIST') || number > 100) throw error
      }
    }
  }

  /** Of what nobody remembers, such as of instances from before this was done. `isKnown` gets directories. */
  async adopt(isKnown: (persist: string) => boolean): Promise<void> {
    const { persistDir } = this.#options
    for (const path of await directoriesBelow(persistDir, 3)) {
      if (!path.startsWith(`${this.directory}/`) && !isKnown(path)) await this.setAside(path)
    }
  }

  /** Removes what was kept long enough, and the oldest of the rest as long as the disk is nearly full. */
  async collect(signal: AbortSignal): Promise<void> {
    const ended = await this.#list()
    for (const each of ended) {
      signal.throwIfAborted()
      const isOver = this.#now() - each.endedAt > this.#options.keepMs
      if (!isOver && (await this.#freeShare()) >= lowFreeShare) return
      await this.#remove(each, isOver ? 'its time is over' : 'the disk is nearly full', signal)
    }
  }

  /** Oldest first. */
  async #list(): Promise<readonly Ended[]> {
    const paths = await directoriesBelow(this.directory, 3)
    return paths
      .flatMap((path): Ended[] => {
        const endedAt = parseStamp(path)
        return endedAt === undefined ? [] : [{ path, endedAt }]
      })
      .sort((a, b) => a.endedAt - b.endedAt)
  }

  /** By a process of its own: a container may have made millions of files. */
  async #remove({ path, endedAt }: Ended, why: string, signal: AbortSignal): Promise<void> {
    const { log, exec = runCommand } = this.#options
    const args = ['-n', '19', 'rm', '-rf', '--one-file-system', '--', path]
    try {
      const { code, stderr } = await exec('nice', args, { signal, timeoutMs: removalTimeoutMs })
      if (code !== 0) throw new Error(stderr.trim().slice(0, 500))
      log.info({ path, endedAt: new Date(endedAt).toISOString(), why }, 'removed what an instance left in /persist')
      // Its app and pool may be gone as well.
      for (const parent of [dirname(path), dirname(dirname(path))]) await rmdir(parent)
    } catch (error) {
      signal.throwIfAborted()
      if ((error as NodeJS.ErrnoException).code === 'ENOTEMPTY') return
      log.warn({ path, reason: messageOf(error) }, 'could not remove what an instance left in /persist')
    }
  }

  async #freeShare(): Promise<number> {
    const { freeShare = freeShareOf, persistDir } = this.#options
    return await freeShare(persistDir)
  }
}

async function freeShareOf(path: string): Promise<number> {
  const { blocks, bavail } = await statfs(path)
  return blocks === 0 ? 1 : bavail / blocks
}

/** `web-3@20260102T030405Z`, and a number where two ended in one second. */
function parseStamp(path: string): number | undefined {
  const match = /@(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z(\.\d+)?$/.exec(path)
  if (match === null) return undefined
  const [, year, month, day, hour, minute, second] = match
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
}

/** Directories so many levels below, links not followed. */
async function directoriesBelow(directory: string, levels: number): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  const paths = entries.filter((entry) => entry.isDirectory()).map((entry) => join(directory, entry.name))
  if (levels === 1) return paths
  return (await Promise.all(paths.map((path) => directoriesBelow(path, levels - 1)))).flat()
}
