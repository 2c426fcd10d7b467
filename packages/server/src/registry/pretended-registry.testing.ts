import type { RegistryCollection, RegistryOrder, RegistryReport, RegistryTransfer } from '@berth/api'
import { BerthError, placeText, type RegistryPlace } from '@berth/core'
import type { RegistryAgents } from './registry-agents.ts'

interface Registry {
  order: RegistryOrder
  readonly images: Map<string, RegistryPlace & { readonly pushedAt: number }>
  collected?: RegistryCollection
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))

const gib = 1024 ** 3

/** Agents of a cluster with registries and images in memory. */
export class PretendedAgents implements RegistryAgents {
  readonly connected = new Set<string>()
  readonly registries = new Map<string, Registry>()
  /** By node: ids of the images that it has. */
  readonly has = new Map<string, Set<string>>()
  /** What happened, in words. */
  readonly done: string[] = []
  /** The program does not answer. */
  isDown = false
  freeBytes = 100 * gib
  /** Pushes wait for it. */
  gate: Promise<void> = Promise.resolve()

  constructor(...nodes: readonly string[]) {
    for (const node of nodes) {
      this.connected.add(node)
      this.has.set(node, new Set())
    }
  }

  isConnected(node: string): boolean {
    return this.connected.has(node)
  }

  holdersOf(image: string): ReadonlySet<string> {
    return new Set([...this.has].flatMap(([node, images]) => (images.has(image) ? [node] : [])))
  }

  async run(node: string, order: RegistryOrder): Promise<RegistryReport> {
    this.#require(node)
    this.done.push(`run ${node}`)
    const images = this.registries.get(node)?.images ?? new Map()
    this.registries.set(node, { order, images })
    return this.report(node)
  }

  /** As an agent of before, which says no more of one app's. */
  async report(node: string): Promise<RegistryReport> {
    this.#require(node)
    const registry = this.registries.get(node)
    if (registry === undefined) return { running: false, images: [] }
    const { order, images, collected } = registry
    return {
      ...{ order: order.id, certificatePem: order.certificatePem, running: !this.isDown, images: [...images.values()] },
      ...{ freeBytes: this.freeBytes, sizeBytes: images.size },
      ...(collected === undefined ? {} : { collected }),
    }
  }

  async collect(node: string, remove: readonly RegistryPlace[]): Promise<RegistryCollection> {
    this.#require(node)
    const registry = this.#registry(node)
    const removed = remove.filter((place) => registry.images.delete(placeText(place))).length
    this.done.push(`collect ${removed}`)
    registry.collected = { at: Date.now(), tookMs: 1, removed, freedBytes: removed }
    return registry.collected
  }

  async end(node: string, { purge }: { readonly purge: boolean }): Promise<void> {
    this.#require(node)
    this.done.push(`end ${node}${purge ? ' purge' : ''}`)
    this.registries.delete(node)
  }

  async push(node: string, transfer: RegistryTransfer, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    await Promise.race([this.gate, aborted(signal)])
    signal.throwIfAborted()
    this.#require(node)
    const registry = this.#at(transfer.host)
    if (this.has.get(node)?.has(transfer.image) !== true)
      throw new BerthError('engine.image-missing', `image ${transfer.image} is not on this node`)
    this.done.push(`push ${transfer.repository} from ${node}`)
    registry.images.set(placeText(transfer), { ...transfer, pushedAt: Date.now() })
  }

  async pull(node: string, transfer: RegistryTransfer): Promise<void> {
    this.#require(node)
    if (!this.#at(transfer.host).images.has(placeText(transfer)))
      throw new BerthError('engine.image-unavailable', `pull image ${transfer.image}: manifest unknown`)
    this.done.push(`pull ${transfer.repository} to ${node}`)
    this.has.get(node)?.add(transfer.image)
  }

  #at(host: string): Registry {
    const found = [...this.registries].find(([, { order }]) => `${order.address}:${order.port}` === host)
    if (found !== undefined && !this.isDown && this.connected.has(found[0])) return found[1]
    throw new BerthError('engine.image-unavailable', `dial tcp ${host}: connect: connection refused`)
  }

  #registry(node: string): Registry {
    const registry = this.registries.get(node)
    if (registry === undefined) throw new BerthError('registry.not-here', 'this node does not run the registry')
    return registry
  }

  #require(node: string): void {
    if (!this.connected.has(node)) throw new BerthError('node.offline', `the link to node ${node} was lost`)
  }
}
