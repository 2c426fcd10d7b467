import type { NetworkMode, PortSpec } from '../model/app-spec.ts'

const bridgePrefix = 'bridge:'
const lanPrefix = 'lan:'

/** Docker's own bridge. */
export const dockersBridge = 'bridge'

/**
 * The Docker network in which an instance of a network of the machines' own has a link to its node, and to nobody else: for names, probes and the
 * node's gateway. Nodes in routed mode have it.
 */
export const nodeLinkNetwork = 'berth-link'

/** Names that Docker or Berth have given to something else than a bridge of the owner's. */
export const reservedNetworks: readonly string[] = ['host', 'none', 'default', 'container', 'berth', nodeLinkNetwork]

export const isDockerNetworkName = (text: string): boolean => /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$/.test(text)

export const bridgeMode = (name: string): NetworkMode => (name === dockersBridge ? 'bridge' : `${bridgePrefix}${name}`)

/** The Docker network of an instance that is in a bridge of its node alone; undefined: it is in another kind of network. */
export function bridgeOf(network: NetworkMode | undefined): string | undefined {
  if (network === undefined || network === 'host' || lanOf(network) !== undefined) return undefined
  return network === 'bridge' ? dockersBridge : network.slice(bridgePrefix.length)
}

export const lanMode = (name: string): NetworkMode => `${lanPrefix}${name}`

/** The network of the machines' own that is an instance's only one; undefined: it is in another kind of network. */
export const lanOf = (network: NetworkMode | undefined): string | undefined =>
  network?.startsWith(lanPrefix) === true ? network.slice(lanPrefix.length) : undefined

/** The Docker network of an instance that is not the cluster's; undefined: it is in that, or has its node's. */
export const otherNetworkOf = (network: NetworkMode | undefined): string | undefined =>
  bridgeOf(network) ?? lanOf(network)

/** At which port of its address it is reached; undefined: at none, since behind its node's address only published ports lead to it. */
export const reachedPort = (network: NetworkMode | undefined, { port, hostPort }: PortSpec): number | undefined =>
  bridgeOf(network) === undefined ? port : hostPort

/** What Docker calls the cluster's network on every node. */
export const clusterNetwork = 'berth'

/** The Docker network that an instance's default route leads to; undefined: it has its node's. */
export const ownNetworkOf = (network: NetworkMode | undefined): string | undefined =>
  network === 'host' ? undefined : (otherNetworkOf(network) ?? clusterNetwork)

export const maxNetworks = 8

/**
 * Why an instance in `network` cannot be in that one as well; undefined: it can. Of several networks Docker gives the default route to the one whose
 * name comes first (since 28 it can be told, before that it cannot): that has to be the instance's own.
 */
export function attachProblem(name: string, network: NetworkMode | undefined): string | undefined {
  const own = ownNetworkOf(network)
  if (own === undefined) return 'with `network: host` an instance is in all networks of its node already'
  if (!isDockerNetworkName(name) || reservedNetworks.includes(name) || name === own)
    return `${JSON.stringify(name.slice(0, 80))} is no name of another Docker network`
  return name > own
    ? undefined
    : `Docker gives the default route to the network whose name comes first: call ${name} something behind ${own}, such as lan-${name.toLowerCase()}`
}

/** Docker networks that a node must have for such an instance. */
export function dockerNetworksOf(
  network: NetworkMode | undefined,
  networks: readonly string[] = [],
): readonly string[] | undefined {
  const lan = lanOf(network)
  const own = lan === undefined ? bridgeOf(network) : lan
  const all = [...(own === undefined ? [] : [own]), ...(lan === undefined ? [] : [nodeLinkNetwork]), ...networks]
  return all.length === 0 ? undefined : all
}
