import {
  BerthError,
  isNodeLinkAddress,
  macOf,
  nodeDnsAddress,
  profileOption,
  readWishedProfiles,
  routedGateway,
  routedGateway6,
  tryParseAddress,
} from '@berth/core'
import { readPortBindings } from '../publish/port-bindings.ts'
import type { PortPublisher } from '../publish/port-publisher.ts'
import { allAddressesOf, type EndpointRecord } from './endpoint-records.ts'
import type { Endpoints } from './endpoints.ts'
import {
  acknowledge,
  badCall,
  ipv6Asked,
  notOffered,
  optionalRecord,
  optionalRecords,
  optionalText,
  type PluginBody,
  type PluginHandlers,
  requiredText,
} from './plugin-call.ts'
import type { PluginSettings } from './plugin-settings.ts'

/** A route to a neighbour without a next hop, in Docker's words. */
const connected = 1

export interface NetworkDriverParts {
  readonly settings: PluginSettings
  readonly endpoints: Endpoints
  readonly publisher: PortPublisher
}

/** Docker's `NetworkDriver`: a link and a route for every container. */
export class RoutedNetworkDriver {
  readonly #parts: NetworkDriverParts

  constructor(parts: NetworkDriverParts) {
    this.#parts = parts
  }

  readonly handlers: PluginHandlers = {
    '/NetworkDriver.GetCapabilities': () => ({ Scope: 'local', ConnectivityScope: 'global' }),
    '/NetworkDriver.CreateNetwork': (body) => this.#createNetwork(body),
    '/NetworkDriver.DeleteNetwork': (body) => acknowledge(body, 'NetworkID'),
    '/NetworkDriver.CreateEndpoint': (body) => this.#createEndpoint(body),
    '/NetworkDriver.EndpointOperInfo': async (body) => ({
      Value: { addresses: allAddressesOf(await this.#endpoint(body)) },
    }),
    '/NetworkDriver.DeleteEndpoint': (body) => this.#deleteEndpoint(body),
    '/NetworkDriver.Join': (body) => this.#join(body),
    '/NetworkDriver.Leave': (body) => this.#leave(body),
    '/NetworkDriver.ProgramExternalConnectivity': (body) => this.#publish(body),
    '/NetworkDriver.RevokeExternalConnectivity': (body) => this.#withdraw(body),
    '/NetworkDriver.DiscoverNew': () => ({}),
    '/NetworkDriver.DiscoverDelete': () => ({}),
  }

  /** Nothing is made: a network of this driver is its endpoints. */
  async #createNetwork(body: PluginBody): Promise<object> {
    requiredText(body, 'NetworkID')
    const plan = await this.#parts.settings.routed()
    const options = optionalRecord(body, 'Options')
    if (options['com.docker.network.internal'] === true) throw notOffered('--internal')
    if (optionalRecords(body, 'IPv6Data').length > 0) throw notOffered(ipv6Asked)
    const [first, ...more] = optionalRecords(body, 'IPv4Data').map((each) => optionalText(each, 'Pool'))
    if (first === undefined || !plan.subnets.includes(first) || more.length > 0) {
      throw new BerthError(
        'plugin.not-offered',
        `a network of driver berth has exactly one subnet, ${plan.subnets[0]}; asked for was ${[first ?? 'none', ...more].join(', ')}`,
      )
    }
    return {}
  }

  async #createEndpoint(body: PluginBody): Promise<object> {
    const [id, network] = [requiredText(body, 'EndpointID'), requiredText(body, 'NetworkID')]
    const asked = optionalRecord(body, 'Interface')
    if (optionalText(asked, 'AddressIPv6') !== '') throw notOffered(ipv6Asked)
    const address = hostAddress(requiredText(asked, 'Address'))
    const askedMac = optionalText(asked, 'MacAddress')
    const mac = askedMac === '' ? macOf(address) : checkedMac(askedMac)
    const profiles = await this.#wishedProfiles(body, address)
    const { settings, endpoints } = this.#parts
    const wish = profiles.length === 0 ? {} : { profiles }
    const plan = await settings.routed()
    await endpoints.make({ id, network, address, mac, ...wish }, plan.linkSettings(address))
    const { address6 } = await endpoints.get(id)
    // Docker refuses to be told what it has said itself. Of IPv6 it knows nothing: what it is told it gives the container with the rest.
    const more = address6 === undefined ? {} : { AddressIPv6: `${address6}/128` }
    return { Interface: { ...(askedMac === '' ? { MacAddress: mac } : {}), ...more } }
  }

  /** Throws `plugin.bad-option`. */
  async #wishedProfiles(body: PluginBody, address: string): Promise<readonly string[]> {
    const read = readWishedProfiles(optionalRecord(body, 'Options'))
    if (!read.ok) throw badOption(read.message)
    if (read.value.length > 0 && isNodeLinkAddress(address))
      throw badOption(`driver-opt ${profileOption}: no profile holds for links to the node alone`)
    if (read.value.length > 0 && (await this.#parts.settings.isOfInstance(address)) === true)
      throw badOption(
        `driver-opt ${profileOption}: ${address} is an instance's, which has the profiles that its berth.yaml names`,
      )
    return read.value
  }

  async #deleteEndpoint(body: PluginBody): Promise<object> {
    // Also when it was there no more.
    await using _ = { [Symbol.asyncDispose]: () => this.#parts.publisher.keep() }
    await this.#parts.endpoints.remove(requiredText(body, 'EndpointID'))
    return {}
  }

  async #publish(body: PluginBody): Promise<object> {
    await this.#parts.publisher.publish(requiredText(body, 'EndpointID'), readPortBindings(body))
    return {}
  }

  async #withdraw(body: PluginBody): Promise<object> {
    await this.#parts.publisher.withdraw(requiredText(body, 'EndpointID'))
    return {}
  }

  async #join(body: PluginBody): Promise<object> {
    const { peer, addresses, address6 } = await this.#endpoint(body)
    if (addresses.some(isNodeLinkAddress)) return linkJoin(peer)
    const destinations = [`${routedGateway}/32`, ...(address6 === undefined ? [] : [`${routedGateway6}/128`])]
    return {
      InterfaceName: { SrcName: peer, DstPrefix: 'eth' },
      Gateway: routedGateway,
      ...(address6 === undefined ? {} : { GatewayIPv6: routedGateway6 }),
      StaticRoutes: destinations.map((Destination) => ({ Destination, RouteType: connected })),
    }
  }

  /** The link goes with its endpoint: Docker still has to give its end back. */
  async #leave(body: PluginBody): Promise<object> {
    await this.#endpoint(body)
    return {}
  }

  /** Throws `plugin.unknown-endpoint`. */
  #endpoint(body: PluginBody): Promise<EndpointRecord> {
    return this.#parts.endpoints.get(requiredText(body, 'EndpointID'))
  }
}

/** No way out: the container's own network is that. Docker is not to look for another one either. */
const linkJoin = (peer: string): object => ({
  InterfaceName: { SrcName: peer, DstPrefix: 'eth' },
  StaticRoutes: [routedGateway, nodeDnsAddress].map((each) => ({ Destination: `${each}/32`, RouteType: connected })),
  DisableGatewayService: true,
})

const badOption = (message: string): BerthError => new BerthError('plugin.bad-option', message)

/** Of `10.77.1.11/32` the address. */
function hostAddress(text: string): string {
  const [address = '', prefix] = text.split('/')
  if (tryParseAddress(address) !== undefined && prefix === '32') return address
  throw badCall(`Interface.Address ${JSON.stringify(text)} is no IPv4 address with the prefix 32`)
}

function checkedMac(text: string): string {
  if (/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)) return text.toLowerCase()
  throw badCall(`Interface.MacAddress ${JSON.stringify(text)} is no MAC address`)
}
