import { addressOfRoutedLink, BerthError, routedLinkOf, routedPeerOf } from '@berth/core'
import type { ClosedContainers } from './closed-containers.ts'
import type { EndpointLinks, LinkSettings } from './endpoint-links.ts'
import type { EndpointRecord, EndpointRecords } from './endpoint-records.ts'

/** Between making a link and Docker's taking its other end into the container. */
const takenWithinMs = 30_000

export interface MakeSettings extends LinkSettings {
  /** The address of IPv6 that comes with one of IPv4. */
  twinOf(address: string): string | undefined
}

export type NewEndpoint = Pick<EndpointRecord, 'id' | 'network' | 'mac' | 'profiles'> & { readonly address: string }

export interface EndpointsParts {
  readonly records: EndpointRecords
  readonly links: EndpointLinks
  /** Absent: nobody makes any here. */
  readonly closed?: Pick<ClosedContainers, 'apply' | 'keep'>
  readonly now: () => number
}

/**
 * The endpoints of this node. An address is in use exactly as long as a link of its name is there, whose other end is in a container or
 * about to be: dockerd may have died between two calls, and a link that was left then must not keep an address for ever.
 */
export class Endpoints {
  readonly #parts: EndpointsParts
  /** What is done for one link is done one after another. */
  readonly #tails = new Map<string, Promise<unknown>>()

  constructor(parts: EndpointsParts) {
    this.#parts = parts
  }

  /** Throws `plugin.unknown-endpoint`. */
  get(id: string): Promise<EndpointRecord> {
    return this.#parts.records.get(id)
  }

  async isHeld(address: string): Promise<boolean> {
    const { links } = this.#parts
    if (!(await links.exists(routedLinkOf(address)))) return false
    return (await this.#isInContainer(address)) || (await this.#isNew(address))
  }

  /** Whether the host's end of its link is there. */
  isLinked(address: string): Promise<boolean> {
    return this.#parts.links.exists(routedLinkOf(address))
  }

  /** Addresses of links and records that belong to no container, and to none that is being made. */
  async leftBehind(): Promise<string[]> {
    const { records, links } = this.#parts
    const linked = (await links.list()).flatMap((link) => addressOfRoutedLink(link) ?? [])
    const recorded = (await records.list()).flatMap(({ addresses }) => addresses)
    const left: string[] = []
    for (const address of new Set([...linked, ...recorded])) if (await this.#isLeft(address)) left.push(address)
    return left
  }

  /** Takes away what {@link leftBehind} has told, unless it is somebody's by now. False then. */
  async discard(address: string): Promise<boolean> {
    const link = routedLinkOf(address)
    let isLeft = false
    await this.#inTurn(link, async () => {
      isLeft = await this.#isLeft(address)
      if (!isLeft) return
      await this.#parts.links.remove(link)
      await this.#forget(address)
    })
    return isLeft
  }

  async #isLeft(address: string): Promise<boolean> {
    return !(await this.#isInContainer(address)) && !(await this.#isNew(address))
  }

  async #isInContainer(address: string): Promise<boolean> {
    const { links } = this.#parts
    return (await links.exists(routedLinkOf(address))) && !(await links.exists(routedPeerOf(address)))
  }

  async #isNew(address: string): Promise<boolean> {
    const { records, now } = this.#parts
    return (await records.list()).some(
      (each) => each.addresses.includes(address) && now() - each.createdAt < takenWithinMs,
    )
  }

  async #forget(address: string): Promise<void> {
    const { records } = this.#parts
    for (const { id, addresses } of await records.list()) if (addresses.includes(address)) await records.remove(id)
  }

  /** The same one again is no mistake: Docker repeats a call whose answer was lost. Throws `plugin.address-in-use`. */
  make(asked: NewEndpoint, settings: MakeSettings): Promise<void> {
    const { address, ...rest } = asked
    const [link, peer] = [routedLinkOf(address), routedPeerOf(address)]
    const address6 = settings.twinOf(address)
    const more = address6 === undefined ? {} : { address6 }
    const record = { ...rest, addresses: [address], ...more, link, peer, createdAt: this.#parts.now() }
    return this.#inTurn(link, () => this.#make(record, address, settings))
  }

  async #make(record: EndpointRecord, address: string, settings: LinkSettings): Promise<void> {
    const { records, links } = this.#parts
    const before = await records.find(record.id)
    if (before?.link === record.link && (await links.exists(record.link))) return
    if (await this.isHeld(address)) throw inUse(record)
    await links.remove(record.link)
    await this.#forget(address)
    // Before its link: one that nobody speaks for would count as left behind.
    await records.put(record)
    try {
      // Before its link: nothing may pass until the rules of its profiles are in force.
      if (record.profiles !== undefined) await this.#parts.closed?.apply()
      if (!(await links.make(record, settings))) throw inUse(record)
    } catch (error) {
      await records.remove(record.id)
      if (record.profiles !== undefined) await this.#parts.closed?.keep()
      throw error
    }
  }

  /** Throws `plugin.unknown-endpoint`. */
  async remove(id: string): Promise<void> {
    const { records, links } = this.#parts
    const { link, profiles } = await records.get(id)
    await this.#inTurn(link, async () => {
      // It may have gone, and its link be another's by now.
      if ((await records.find(id)) === undefined) return
      await links.remove(link)
      await records.remove(id)
    })
    if (profiles !== undefined) await this.#parts.closed?.keep()
  }

  async #inTurn(link: string, work: () => Promise<void>): Promise<void> {
    const turn = (this.#tails.get(link) ?? Promise.resolve()).then(work)
    const tail = turn.catch(() => undefined)
    this.#tails.set(link, tail)
    await turn.finally(() => {
      if (this.#tails.get(link) === tail) this.#tails.delete(link)
    })
  }
}

/** In words by which the agent knows what Docker passes on. */
const inUse = ({ addresses, link }: EndpointRecord): BerthError =>
  new BerthError(
    'plugin.address-in-use',
    `address already in use: ${addresses.join(', ')} is that of another container (link ${link}); see docker network inspect berth`,
  )
