import { mkdir, readdir, readFile, rm, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf, type RegistryPlace, type StoredImage } from '@berth/core'
import { measureDirectories } from '../instance/disk-usage.ts'

const maxDescribed = 100
const maxDocumentBytes = 4 * 1024 * 1024

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

  /** The newest of one app, with what they say of themselves. */
  async imagesOfApp(app: string): Promise<StoredImage[]> {
    const images = await this.#imagesOf(`berth/app-${app}`)
    const newest = images.sort((a, b) => b.pushedAt - a.pushedAt).slice(0, maxDescribed)
    return await Promise.all(newest.map(async (image) => ({ ...image, ...(await this.#describe(image)) })))
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

  /** Nothing of one that is being written or taken away. */
  async #describe({ repository, tag }: RegistryPlace): Promise<Partial<StoredImage>> {
    const digest = await readFile(join(this.#tags(repository), tag, 'current/link'), 'utf8').catch(() => '')
    const manifest = await this.#document(digest)
    const config = await this.#document((manifest?.config as { digest?: unknown } | undefined)?.digest)
    if (manifest === undefined || config === undefined) return {}
    const labels = (config.config as { Labels?: Record<string, unknown> } | undefined)?.Labels ?? {}
    const commit = labels['berth.commit']
    const builtAt = Date.parse(String(config.created))
    const layers = Array.isArray(manifest.layers) ? (manifest.layers as { size?: unknown }[]) : []
    return {
      ...(typeof commit === 'string' && commit !== '' ? { commit } : {}),
      ...(builtAt > 0 ? { builtAt } : {}),
      bytes: layers.reduce((sum, { size }) => sum + (typeof size === 'number' ? size : 0), 0),
    }
  }

  /** What a blob says, if it is a small document. */
  async #document(digest: unknown): Promise<Record<string, unknown> | undefined> {
    const hex = /^sha256:([0-9a-f]{64})$/.exec(String(digest).trim())?.[1]
    if (hex === undefined) return undefined
    const file = join(this.#directory, 'docker/registry/v2/blobs/sha256', hex.slice(0, 2), hex, 'data')
    try {
      if ((await stat(file)).size > maxDocumentBytes) return undefined
      const document: unknown = JSON.parse(await readFile(file, 'utf8'))
      return typeof document === 'object' && document !== null ? (document as Record<string, unknown>) : undefined
    } catch {
      return undefined
    }
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
