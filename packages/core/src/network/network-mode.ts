import type { NetworkMode, PortSpec } from '../model/app-spec.ts'

const bridgePrefix = 'bridge:'

/** Docker's own bridge. */
export const dockersBridge = 'bridge'

/** Names that Docker or Berth have given to something else than a bridge of the owner's. */
export const reservedNetworks: readonly string[] = ['host', 'none', 'default', 'container', 'berth']

export const isDockerNetworkName = (text: string): boolean => /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$/.test(text)

export const bridgeMode = (name: string): NetworkMode => (name === dockersBridge ? 'bridge' : `${bridgePrefix}${name}`)

/** The Docker network of an instance that is in a bridge of its node alone; undefined: it is in another kind of network. */
export function bridgeOf(network: NetworkMode | undefined): string | undefined {
  if (network === undefined || network === 'host') return undefined
  return network === 'bridge' ? dockersBridge : network.slice(bridgePrefix.length)
}

/** At which port of its address it is reached; undefined: at none, since behind its node's address only published ports lead to it. */
export const reachedPort = (network: NetworkMode | undefined, { port, hostPort }: PortSpec): number | undefined =>
  bridgeOf(network) === undefined ? port : hostPort

/** Docker networks that a node must have for such an instance. */
export function dockerNetworksOf(network: NetworkMode | undefined): readonly string[] | undefined {
  const bridge = bridgeOf(network)
  return bridge === undefined ? undefined : [bridge]
}
