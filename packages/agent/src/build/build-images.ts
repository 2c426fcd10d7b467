import { BerthError, type NodeImage } from '@berth/core'
import type { DockerClient } from '../engine/docker-client.ts'
import { hasCode } from '../engine/engine-error.ts'

const quickMs = 15_000
const removeMs = 120_000

/** What is left of builds for the sake of the next one is named, so that it can be found and is removed in the end. */
const leftoverRepository = 'berth/build-cache'
/** Of releases and what they stand on: servers know what they are needed for, and order them away one by one. */
const orderedRepositories = ['berth/app-*', 'berth/level-*']
const allRepositories = 'berth/*'

export interface Retention {
  readonly maxAgeMs: number
  readonly maxCount: number
}

const leftovers: Retention = { maxAgeMs: 24 * 3_600_000, maxCount: 20 }

interface ListedImage {
  readonly Id: string
  readonly Created: number
  readonly Size: number
  readonly RepoTags?: readonly string[] | null
}

export class BuildImages {
  readonly #client: DockerClient

  constructor(client: DockerClient) {
    this.#client = client
  }

  async idOf(reference: string, signal?: AbortSignal): Promise<string | undefined> {
    try {
      const call = { action: `inspect image ${reference}`, method: 'GET', timeoutMs: quickMs, signal } as const
      return (await this.#client.json<{ Id: string }>({ ...call, path: `/images/${path(reference)}/json` })).Id
    } catch (error) {
      if (hasCode(error, 'engine.image-missing') || hasCode(error, 'engine.not-found')) return undefined
      throw error
    }
  }

  /**
   * Keeps an unnamed image (the last good step of a failed build, an earlier stage) as a cache for a while. A second try of a failed
   * build then starts where the first one failed.
   */
  async keep(id: string, name: string): Promise<void> {
    const call = {
      action: `name image ${id}`,
      method: 'POST',
      path: `/images/${path(id)}/tag`,
      timeoutMs: quickMs,
    } as const
    try {
      await this.#client.json({ ...call, query: { repo: leftoverRepository, tag: name } })
    } catch (error) {
      if (!hasCode(error, 'engine.image-missing') && !hasCode(error, 'engine.not-found')) throw error
    }
  }

  /** Removes leftovers that are too old or too many. */
  async sweep(now: number, signal?: AbortSignal): Promise<void> {
    for (const tag of expired(await this.#tags([leftoverRepository], signal), leftovers, now)) await this.#remove(tag)
  }

  /** Images of apps and levels, with whether a container is made of them. */
  async list(signal?: AbortSignal): Promise<NodeImage[]> {
    // Containers after images: one that is made in between is seen.
    const images = await this.#tags(orderedRepositories, signal)
    const call = { action: 'list containers', method: 'GET', path: '/containers/json', timeoutMs: quickMs } as const
    const query = { all: true }
    const containers = await this.#client.json<{ readonly ImageID: string }[]>({ ...call, query, signal })
    const used = new Set(containers.map(({ ImageID }) => ImageID))
    return images.map(({ tag: reference, ...image }) => ({ reference, ...image, used: used.has(image.id) }))
  }

  /** On a server's order. Throws `engine.rejected` while a container is made of it; one that is gone already is no error. */
  async remove(reference: string, signal?: AbortSignal): Promise<void> {
    if (!/^berth\/(app|level)-[^/]+:[^/]+$/.test(reference)) {
      throw new BerthError('request.invalid-request', `${reference} is no image of an app or a level`)
    }
    try {
      await this.#untag(reference, signal)
    } catch (error) {
      if (!hasCode(error, 'engine.image-missing') && !hasCode(error, 'engine.not-found')) throw error
    }
  }

  /** Bases made on this machine, levels, apps and leftovers. What a container uses or somebody has named otherwise, too, stays. */
  async removeAll(signal?: AbortSignal): Promise<void> {
    for (const { tag } of await this.#tags([allRepositories], signal)) await this.#remove(tag)
  }

  async #tags(patterns: readonly string[], signal?: AbortSignal): Promise<ListedTag[]> {
    const filters = JSON.stringify({ reference: patterns })
    const call = { action: 'list images', method: 'GET', path: '/images/json', timeoutMs: quickMs, signal } as const
    const images = await this.#client.json<ListedImage[]>({ ...call, query: { filters } })
    const prefixes = patterns.map((pattern) => pattern.replace('*', ''))
    return images.flatMap(({ Id: id, RepoTags, Created, Size: sizeBytes }) =>
      (RepoTags ?? [])
        .filter((tag) => prefixes.some((prefix) => tag.startsWith(prefix)))
        .map((tag) => ({ tag, id, createdAt: Created * 1000, sizeBytes })),
    )
  }

  async #untag(tag: string, signal?: AbortSignal): Promise<void> {
    const call = { action: `remove image ${tag}`, method: 'DELETE', timeoutMs: removeMs, signal } as const
    await this.#client.json({ ...call, path: `/images/${path(tag)}` })
  }

  async #remove(tag: string): Promise<void> {
    try {
      await this.#untag(tag)
    } catch (error) {
      // In use by a container, or gone by now.
      if (
        !hasCode(error, 'engine.rejected') &&
        !hasCode(error, 'engine.image-missing') &&
        !hasCode(error, 'engine.not-found')
      )
        throw error
    }
  }
}

interface ListedTag extends TaggedImage {
  readonly id: string
  readonly sizeBytes: number
}

export interface TaggedImage {
  readonly tag: string
  readonly createdAt: number
}

/** Per repository, the newest ones stay until they are too old. */
export function expired(images: readonly TaggedImage[], { maxAgeMs, maxCount }: Retention, now: number): string[] {
  const byRepository = Map.groupBy(images, ({ tag }) => tag.slice(0, tag.lastIndexOf(':')))
  return [...byRepository.values()].flatMap((group) =>
    group
      .toSorted((a, b) => b.createdAt - a.createdAt)
      .filter(({ createdAt }, index) => index >= maxCount || now - createdAt > maxAgeMs)
      .map(({ tag }) => tag),
  )
}

const path = (reference: string): string => reference.split('/').map(encodeURIComponent).join('/')
