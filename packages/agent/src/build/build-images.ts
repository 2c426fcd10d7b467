import type { DockerClient } from '../engine/docker-client.ts'
import { hasCode } from '../engine/engine-error.ts'

const quickMs = 15_000
const removeMs = 120_000

/** What is left of builds for the sake of the next one is named, so that it can be found and is removed in the end. */
const leftoverRepository = 'berth/build-cache'
const levelRepositories = 'berth/level-*'
const allRepositories = 'berth/*'

export interface Retention {
  readonly maxAgeMs: number
  readonly maxCount: number
}

const leftovers: Retention = { maxAgeMs: 24 * 3_600_000, maxCount: 20 }
const levels: Retention = { maxAgeMs: 30 * 24 * 3_600_000, maxCount: 10 }

interface ListedImage {
  readonly Id: string
  readonly Created: number
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

  /** Removes what is too old or too much: first leftovers, then levels, which the next build makes again if it needs them. */
  async sweep(now: number, signal?: AbortSignal): Promise<void> {
    for (const [pattern, retention] of [
      [leftoverRepository, leftovers] as const,
      [levelRepositories, levels] as const,
    ]) {
      const tags = await this.#tags(pattern, signal)
      for (const tag of expired(tags, retention, now)) await this.#remove(tag)
    }
  }

  /** Bases made on this machine, levels, apps and leftovers. What a container uses or somebody has named otherwise, too, stays. */
  async removeAll(signal?: AbortSignal): Promise<void> {
    for (const { tag } of await this.#tags(allRepositories, signal)) await this.#remove(tag)
  }

  async #tags(pattern: string, signal?: AbortSignal): Promise<TaggedImage[]> {
    const filters = JSON.stringify({ reference: [pattern] })
    const call = { action: 'list images', method: 'GET', path: '/images/json', timeoutMs: quickMs, signal } as const
    const images = await this.#client.json<ListedImage[]>({ ...call, query: { filters } })
    return images.flatMap(({ RepoTags, Created }) =>
      (RepoTags ?? [])
        .filter((tag) => tag.startsWith(pattern.replace('*', '')))
        .map((tag) => ({ tag, createdAt: Created * 1000 })),
    )
  }

  async #remove(tag: string): Promise<void> {
    const call = {
      action: `remove image ${tag}`,
      method: 'DELETE',
      path: `/images/${path(tag)}`,
      timeoutMs: removeMs,
    } as const
    try {
      await this.#client.json(call)
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
