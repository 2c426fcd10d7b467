import type { Readable } from 'node:stream'
import { BerthError } from '@berth/core'
import type { DockerClient } from './docker-client.ts'
import type { CallOptions, ImageView, PullOptions, RegistryLogin } from './engine.ts'
import { hasCode } from './engine-error.ts'
import type { Limiter } from './limiter.ts'
import { stallMs, watchProgress } from './watch-progress.ts'

const quickMs = 15_000

/** What is read of Docker's answer. */
interface ImageDetails {
  readonly Id: string
  readonly Size: number
  readonly RepoTags?: readonly string[] | null
  readonly Config?: { readonly User?: string } | null
}

/** Each with commit and build: the same name is never of another image somewhere else. */
const ownNames = 'berth/app-'

export class DockerImages {
  readonly #client: DockerClient
  readonly #pulls: Limiter

  constructor(client: DockerClient, pulls: Limiter) {
    this.#client = client
    this.#pulls = pulls
  }

  async inspect(reference: string, { signal }: CallOptions): Promise<ImageView | undefined> {
    try {
      const image = await this.#details(reference, signal)
      return { id: image.Id, user: image.Config?.User ?? '', sizeBytes: image.Size }
    } catch (error) {
      if (hasCode(error, 'engine.image-missing') || hasCode(error, 'engine.not-found')) return undefined
      throw error
    }
  }

  async pull(reference: string, { signal, login }: PullOptions): Promise<void> {
    const action = `pull image ${reference}`
    await this.#pulls.run(async () => {
      const { name, tag } = splitReference(reference)
      const response = await this.#client.stream({
        action,
        method: 'POST',
        path: '/images/create',
        query: { fromImage: name, tag },
        ...(login === undefined ? {} : { headers: { 'X-Registry-Auth': registryAuth(login) } }),
        timeoutMs: stallMs,
        signal,
      })
      await watchProgress(action, response, signal)
    }, signal)
  }

  /** An app's image goes under its name, also when it is asked for by its id: without one nobody would remove the copy. */
  async save(reference: string, { signal }: CallOptions): Promise<Readable> {
    const { RepoTags } = await this.#details(reference, signal)
    const name = RepoTags?.find((each) => each.startsWith(ownNames))
    return this.#client.stream({
      action: `save image ${reference}`,
      method: 'GET',
      path: `/images/${imagePath(name ?? reference)}/get`,
      timeoutMs: stallMs,
      signal,
    })
  }

  #details(reference: string, signal: AbortSignal | undefined): Promise<ImageDetails> {
    return this.#client.json<ImageDetails>({
      action: `inspect image ${reference}`,
      method: 'GET',
      path: `/images/${imagePath(reference)}/json`,
      timeoutMs: quickMs,
      signal,
    })
  }

  async load(archive: Readable, { signal }: CallOptions): Promise<string> {
    const action = 'load an image archive'
    const response = await this.#client.stream(
      { action, method: 'POST', path: '/images/load', query: { quiet: true }, signal },
      archive,
    )
    let loaded: string | undefined
    await watchProgress(action, response, signal, (progress) => {
      loaded = /Loaded image(?: ID)?: (\S+)/.exec(progress.stream ?? '')?.[1] ?? loaded
    })
    const image = loaded === undefined ? undefined : await this.inspect(loaded, { signal })
    if (image === undefined) throw new BerthError('engine.rejected', `${action}: it holds no image`)
    return image.id
  }
}

/**
 * As Docker wants it: JSON in base64 for URLs, padded (without, Docker 20.10 takes it for no login and does not say so). Docker Hub goes
 * by the address of its first version.
 */
const registryAuth = ({ host, username, password }: RegistryLogin): string => {
  const serveraddress = host === 'docker.io' ? 'https://index.docker.io/v1/' : host
  return authHeader({ username, password, serveraddress })
}

export function authHeader(auth: Readonly<Record<string, string>>): string {
  const text = Buffer.from(JSON.stringify(auth)).toString('base64')
  return text.replaceAll('+', '-').replaceAll('/', '_')
}

/** Slashes are part of the path; everything else a name may hold is escaped. */
export const imagePath = (reference: string): string => reference.split('/').map(encodeURIComponent).join('/')

/** `host:5000/shop/web:v1` → name and tag; Docker takes a digest as the tag, too. */
export function splitReference(reference: string): { readonly name: string; readonly tag: string } {
  const at = reference.indexOf('@')
  if (at !== -1) return { name: reference.slice(0, at), tag: reference.slice(at + 1) }
  const colon = reference.lastIndexOf(':')
  if (colon > reference.lastIndexOf('/')) return { name: reference.slice(0, colon), tag: reference.slice(colon + 1) }
  return { name: reference, tag: 'latest' }
}
