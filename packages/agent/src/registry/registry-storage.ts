import { mkdir, readdir, rm, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf, type RegistryPlace, type StoredImage } from '@berth/core'
import { measureDirectories } from '../instance/disk-usage.ts'

/**
 * The registry's images as they lie on its disk: a folder a repository, and in it one a tag, which is written when all that it names is
 * there. Read there rather than asked of the program, so that they are known while it does not run.
 */
export class RegistryStorage {
  readonly #directory: string
  readonly #repositories: string

  constructor(directory: string) {
    this.#directory = directory
    this.#repositories = join(directory, 'docker/registry/v2/repositories')
  }

  async images(): Promise<StoredImage[]> {
    const apps = await namesIn(join(this.#repositories, 'berth'))
    const found = await Promise.all(apps.map((app) => this.#imagesOf(`berth/${app}`)))
    return found.flat()
  }

  /** Their names only: what they alone are made of goes with the next collection. Those that are gone already are no error. */
  async unname(places: readonly RegistryPlace[]): Promise<number> {
    let gone = 0
    for (const { repository, tag } of places) {
      const known = await namesIn(this.#tags(repository))
      if (!known.includes(tag)) continue
      const last = known.length === 1
      await rm(last ? join(this.#repositories, repository) : join(this.#tags(repository), tag), { recursive: true })
      gone += 1
    }
    return gone
  }

  /**
   * A push that was cut off before its first tag leaves a repository without tags, at which the program would give up the collection of
   * everything; with none in it, what was pushed there goes.
   */
  async mendCutOff(): Promise<void> {
    for (const app of await namesIn(join(this.#repositories, 'berth'))) {
      const manifests = await namesIn(join(this.#repositories, 'berth', app, '_manifests'))
      if (manifests.length > 0) await mkdir(this.#tags(`berth/${app}`), { recursive: true })
    }
  }

  async isEmpty(): Promise<boolean> {
    return (await namesIn(this.#repositories)).length === 0
  }

  async sizeBytes(signal?: AbortSignal): Promise<number> {
    const sizes = await measureDirectories([this.#directory], signal === undefined ? {} : { signal })
    return sizes.get(this.#directory) ?? 0
  }

  /** What is left on its disk; undefined before there is anything. */
  async freeBytes(): Promise<number | undefined> {
    try {
      const { bavail, bsize } = await statfs(this.#directory)
      return bavail * bsize
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw new Error(`look at the disk of the registry: ${messageOf(error)}`, { cause: error })
    }
  }

  async #imagesOf(repository: string): Promise<StoredImage[]> {
    const tags = await namesIn(this.#tags(repository))
    const found = await Promise.all(
      tags.map(async (tag) => {
        const link = join(this.#tags(repository), tag, 'current/link')
        const file = await stat(link).catch(() => undefined)
        // Cut off while it was written.
        return file === undefined || file.size === 0 ? [] : [{ repository, tag, pushedAt: Math.floor(file.mtimeMs) }]
      }),
    )
    return found.flat()
  }

  #tags(repository: string): string {
    return join(this.#repositories, repository, '_manifests/tags')
  }
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
