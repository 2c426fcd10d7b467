import {
  type AddressBlock,
  BerthError,
  formatBlock,
  isOwnAddress,
  nextNodeLinkAddress,
  nextOwnAddress,
  nodeLinkRange,
  ownAddresses,
  routedGateway,
  tryParseAddress,
} from '@berth/core'
import type { Endpoints } from './endpoints.ts'
import {
  acknowledge,
  badCall,
  ipv6Asked,
  notOffered,
  optionalRecord,
  optionalText,
  type PluginBody,
  type PluginHandlers,
  requiredText,
} from './plugin-call.ts'
import { dockerPoolId, type PluginSettings, type RoutedPlan } from './plugin-settings.ts'

/** How long an address that was offered, and of which nothing was heard since, is offered to nobody else. */
const offerMs = 60_000

const requestType = 'RequestAddressType'
const gatewayType = 'com.docker.network.gateway'

export interface IpamDriverParts {
  readonly settings: PluginSettings
  readonly endpoints: Endpoints
  readonly now: () => number
}

/**
 * Docker's `IpamDriver`. It gives what the server has given: instances ask for their own address, and containers that are started by
 * hand get one of the node's own part. An address is taken by the link that bears it, so nothing is kept here but a hint.
 */
export class RoutedIpamDriver {
  readonly #parts: IpamDriverParts
  /** Between an offer and its link. A successor of this process does not know them; two links of one name cannot be, so it need not. */
  readonly #offers = new Map<string, number>()
  #last: string | undefined
  #lastLink: string | undefined

  constructor(parts: IpamDriverParts) {
    this.#parts = parts
  }

  readonly handlers: PluginHandlers = {
    '/IpamDriver.GetCapabilities': () => ({ RequiresMACAddress: false, RequiresRequestReplay: false }),
    '/IpamDriver.GetDefaultAddressSpaces': () => ({
      LocalDefaultAddressSpace: 'berth',
      GlobalDefaultAddressSpace: 'berth',
    }),
    '/IpamDriver.RequestPool': (body) => this.#requestPool(body),
    '/IpamDriver.ReleasePool': (body) => acknowledge(body, 'PoolID'),
    '/IpamDriver.RequestAddress': (body) => this.#requestAddress(body),
    '/IpamDriver.ReleaseAddress': (body) => this.#releaseAddress(body),
  }

  async #requestPool(body: PluginBody): Promise<object> {
    if (body.V6 === true) throw notOffered(ipv6Asked)
    if (optionalText(body, 'SubPool') !== '') throw notOffered('--ip-range')
    const { blockText, subnets } = await this.#parts.settings.routed()
    const asked = optionalText(body, 'Pool')
    const subnet = asked === '' ? subnets[0] : subnets.find((each) => each === asked)
    if (subnet === undefined) {
      throw new BerthError('plugin.not-offered', `this node's block is ${blockText}, the subnet ${asked} is none of it`)
    }
    return { PoolID: dockerPoolId(subnet), Pool: subnet, Data: { [gatewayType]: `${routedGateway}/32` } }
  }

  async #requestAddress(body: PluginBody): Promise<object> {
    const poolId = requiredText(body, 'PoolID')
    const plan = await this.#planOf(poolId)
    const asked = optionalText(body, 'Address')
    if (optionalRecord(body, 'Options')[requestType] === gatewayType) return gatewayAnswer(asked)
    if (poolId === dockerPoolId(nodeLinkRange)) return { Address: `${await this.#offerLink(asked)}/32`, Data: {} }
    const address = asked === '' ? await this.#offer(plan.block) : await this.#check(asked, plan)
    return { Address: `${address}/32`, Data: {} }
  }

  /** Docker has made its network when the block was another. Throws `plugin.not-offered`. */
  async #planOf(poolId: string): Promise<RoutedPlan> {
    const plan = await this.#parts.settings.routed()
    if (plan.subnets.some((subnet) => dockerPoolId(subnet) === poolId)) return plan
    throw new BerthError(
      'plugin.not-offered',
      `the network was made for ${poolId.replace(/^berth:/, '')}, and this node's block is ${plan.blockText} now; it is made anew when no container is in it`,
    )
  }

  /** Whether a container may have the address that it asks for. Throws `plugin.address-not-given`. */
  async #check(asked: string, { block, blockText }: RoutedPlan): Promise<string> {
    if (tryParseAddress(asked) === undefined) throw badCall(`Address ${JSON.stringify(asked)} is no IPv4 address`)
    if (isOwnAddress(block, asked)) return asked
    // Unknown while the agent has not said what runs here: then nobody could say better.
    if ((await this.#parts.settings.isOfInstance(asked)) ?? isInside(block, asked)) return asked
    throw new BerthError(
      'plugin.address-not-given',
      `${asked} is not for containers that are started by hand: the server gives the addresses of ${blockText} to instances. ${choice(block)}`,
    )
  }

  async #offer(block: AddressBlock): Promise<string> {
    const taken = new Set(await this.#parts.settings.instanceAddresses())
    const address = await this.#firstFree(taken, (isUsed) => {
      const next = nextOwnAddress(block, isUsed, this.#last)
      this.#last = next ?? this.#last
      return next
    })
    if (address === undefined) throw exhausted(block)
    return address
  }

  async #offerLink(asked: string): Promise<string> {
    if (asked !== '') throw notOffered('an address of choice in a network of links to the node')
    const address = await this.#firstFree(new Set(), (isUsed) => {
      const next = nextNodeLinkAddress(isUsed, this.#lastLink)
      this.#lastLink = next ?? this.#lastLink
      return next
    })
    if (address === undefined)
      throw new BerthError('plugin.addresses-exhausted', `all addresses of ${nodeLinkRange} are used on this node`)
    return address
  }

  async #firstFree(
    taken: Set<string>,
    next: (isUsed: (address: string) => boolean) => string | undefined,
  ): Promise<string | undefined> {
    const now = this.#parts.now()
    for (const [address, at] of this.#offers) if (now - at >= offerMs) this.#offers.delete(address)
    for (;;) {
      const address = next((each) => taken.has(each) || this.#offers.has(each))
      if (address === undefined) return undefined
      // At once, so that another call that is answered meanwhile gets another one.
      this.#offers.set(address, now)
      if (!(await this.#parts.endpoints.isHeld(address))) return address
      this.#offers.delete(address)
      taken.add(address)
    }
  }

  #releaseAddress(body: PluginBody): object {
    const address = requiredText(body, 'Address')
    // Given without having been asked for, and so of no pool of Docker's.
    if (address.includes(':')) return {}
    this.#offers.delete(address)
    return acknowledge(body, 'PoolID')
  }
}

const isInside = (block: AddressBlock, address: string): boolean => {
  const value = tryParseAddress(address) ?? 0
  return value > block.base + 1 && value < block.base + 2 ** (32 - block.prefix) - 1
}

function gatewayAnswer(asked: string): object {
  if (asked === '' || asked === routedGateway) return { Address: `${routedGateway}/32`, Data: {} }
  throw notOffered(`the gateway ${asked} (it is ${routedGateway} for every container)`)
}

function choice(block: AddressBlock): string {
  const own = ownAddresses(block)
  if (own === undefined) return 'This block is too small to have others'
  return `Leave out --ip, or choose one of ${own.first} to ${own.last}`
}

function exhausted(block: AddressBlock): BerthError {
  const own = ownAddresses(block)
  const message =
    own === undefined
      ? `the block ${formatBlock(block)} is too small to have addresses for containers that are started by hand`
      : `all addresses for containers that are started by hand are used (${own.first} to ${own.last}): remove one of them`
  return new BerthError('plugin.addresses-exhausted', message)
}
