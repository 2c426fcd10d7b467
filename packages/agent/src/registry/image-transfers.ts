import type { RegistryTransfer } from '@berth/api'
import { BerthError, checkPlace, placeText, readRegistryHost } from '@berth/core'
import type { DockerClient } from '../engine/docker-client.ts'
import { authHeader, imagePath, splitReference } from '../engine/docker-images.ts'
import { hasCode } from '../engine/engine-error.ts'
import { stallMs, watchProgress } from '../engine/watch-progress.ts'
import { trustAuthority } from './registry-trust.ts'

export interface ImageTransfersOptions {
  readonly client: DockerClient
  /** The cluster's authority, as this node knows it now. */
  readonly authorityPem: () => Promise<string>
  readonly certsDirectory?: string
}

interface SignalOptions {
  readonly signal: AbortSignal
}

interface FoundImage {
  readonly Id: string
  readonly RepoTags?: readonly string[] | null
}

const quickMs = 15_000
const unnameMs = 60_000

/**
 * Images between this node's Docker and the cluster's registry: only layers that the other side lacks are moved. In Docker they bear the
 * registry's name for as long as that takes, and Berth's own name from then on, by which they are found and removed.
 */
export class ImageTransfers {
  readonly #options: ImageTransfersOptions

  constructor(options: ImageTransfersOptions) {
    this.#options = options
  }

  /** Throws `engine.image-missing`, `engine.image-unavailable` (the registry is not to be reached), `engine.failed`. */
  async push(transfer: RegistryTransfer, { signal }: SignalOptions): Promise<void> {
    const { image, token } = transfer
    const name = await this.#nameAt(transfer)
    const found = await this.#find(image, signal)
    if (found === undefined) throw missing(image)
    // Without another name it would go with the one that is taken away in the end.
    if ((found.RepoTags ?? []).length === 0) await this.#name(image, placeText(transfer), signal)
    await this.#name(image, name, signal)
    try {
      const { name: repository, tag } = splitReference(name)
      await this.#move(`push image ${name}`, `/images/${imagePath(repository)}/push`, { tag }, token, signal)
    } finally {
      await this.#unname(name)
    }
  }

  /** Throws `engine.image-unavailable`, `engine.disk-full`, `registry.other-image`, … */
  async pull(transfer: RegistryTransfer, { signal }: SignalOptions): Promise<void> {
    const { image, token } = transfer
    const name = await this.#nameAt(transfer)
    if ((await this.#find(image, signal)) !== undefined) return
    const { name: fromImage, tag } = splitReference(name)
    await this.#move(`pull image ${name}`, '/images/create', { fromImage, tag }, token, signal)
    try {
      const pulled = await this.#find(name, signal)
      if (pulled?.Id !== image) throw otherImage(name, image, pulled?.Id)
      await this.#name(image, placeText(transfer), signal)
    } finally {
      await this.#unname(name)
    }
  }

  /** What Docker calls it there; from then on Docker trusts the registry. */
  async #nameAt(transfer: RegistryTransfer): Promise<string> {
    const { authorityPem, certsDirectory } = this.#options
    const place = checkPlace(transfer)
    const host = readRegistryHost(transfer.host)
    await trustAuthority(host, await authorityPem(), certsDirectory)
    return `${host}/${placeText(place)}`
  }

  async #move(
    action: string,
    path: string,
    query: Readonly<Record<string, string>>,
    token: string,
    signal: AbortSignal,
  ): Promise<void> {
    const headers = { 'X-Registry-Auth': authHeader({ registrytoken: token }) }
    const call = { action, method: 'POST', path, query, headers, timeoutMs: stallMs, signal } as const
    await watchProgress(action, await this.#options.client.stream(call), signal)
  }

  async #find(reference: string, signal: AbortSignal): Promise<FoundImage | undefined> {
    const path = `/images/${imagePath(reference)}/json`
    const call = { action: `inspect image ${reference}`, method: 'GET', path, timeoutMs: quickMs, signal } as const
    try {
      return await this.#options.client.json<FoundImage>(call)
    } catch (error) {
      if (isGone(error)) return undefined
      throw error
    }
  }

  async #name(image: string, name: string, signal: AbortSignal): Promise<void> {
    const { name: repo, tag } = splitReference(name)
    const path = `/images/${imagePath(image)}/tag`
    const call = { action: `name image ${image}`, method: 'POST', path, timeoutMs: quickMs, signal } as const
    await this.#options.client.json({ ...call, query: { repo, tag } })
  }

  /** Also when what it was for has been given up. */
  async #unname(name: string): Promise<void> {
    const path = `/images/${imagePath(name)}`
    const call = { action: `take the name ${name} away`, method: 'DELETE', path, timeoutMs: unnameMs } as const
    try {
      await this.#options.client.json(call)
    } catch (error) {
      if (!isGone(error)) throw error
    }
  }
}

const isGone = (error: unknown): boolean => hasCode(error, 'engine.image-missing') || hasCode(error, 'engine.not-found')

const missing = (image: string): BerthError =>
  new BerthError('engine.image-missing', `image ${image} is not on this node`)

const otherImage = (name: string, wanted: string, found: string | undefined): BerthError =>
  new BerthError('registry.other-image', `pull ${name}: it is ${found ?? 'no image'}, not ${wanted}`)
