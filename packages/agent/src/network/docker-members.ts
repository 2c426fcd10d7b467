import type { ContainerAddress, LeftOver } from '@berth/core'
import { labels } from '../instance/container-spec.ts'
import {
  type ContainerListInfo,
  type DockerNetworkCalls,
  type NetworkInspectInfo,
  nameOfContainer,
} from './docker-network-calls.ts'

type Signal = AbortSignal | undefined

export interface NetworkMembers {
  readonly containers: readonly ContainerAddress[]
  /** Endpoints that Docker counts, of no container. */
  readonly endpoints: readonly LeftOver[]
}

const runningStates: ReadonlySet<string> = new Set(['running', 'paused', 'restarting'])

/** What is in a node's network, by Docker's word. Methods throw `network.engine-unreachable`, `network.engine-refused`. */
export class DockerMembers {
  readonly #calls: DockerNetworkCalls
  readonly #network: string

  constructor(calls: DockerNetworkCalls, network: string) {
    this.#calls = calls
    this.#network = network
  }

  async read(signal: Signal): Promise<NetworkMembers> {
    const found = await this.#calls.inspect(signal)
    const containers = found === undefined ? [] : await this.#calls.containers(signal)
    return {
      containers: containers.map((each) => this.#member(each)),
      endpoints: deadEndpoints(found).map(({ Name: name, IPv4Address = '' }): LeftOver => {
        const [address = ''] = IPv4Address.split('/')
        return { kind: 'endpoint', name, ...(address === '' ? {} : { address }) }
      }),
    }
  }

  /**
   * Has Docker forget an endpoint that no container has. While it is there Docker lets no container of its name into the network, so no other
   * can be meant. False when it is gone, or there is a container of that name after all.
   */
  async drop(endpoint: string, signal: Signal): Promise<boolean> {
    const query = { all: 'true', filters: JSON.stringify({ name: [`^/${escaped(endpoint)}$`] }) }
    const look = { method: 'GET', path: '/containers/json', query, signal } as const
    const containers = await this.#calls.call<ContainerListInfo[]>(`look who is ${endpoint} in`, look)
    const found = await this.#calls.inspect(signal)
    const isDead = deadEndpoints(found).some(({ Name }) => Name === endpoint)
    if (found === undefined || !isDead || containers.length > 0) return false
    const body = { Container: endpoint, Force: true }
    const call = { method: 'POST', path: `/networks/${found.Id}/disconnect`, body, signal } as const
    await this.#calls.call(`take the endpoint ${endpoint} from`, call)
    return true
  }

  #member(container: ContainerListInfo): ContainerAddress {
    const { Id: id, Labels, State = '', Created = 0, NetworkSettings } = container
    const address = NetworkSettings?.Networks?.[this.#network]?.IPAddress ?? ''
    const instance = Labels?.[labels.instance]
    return {
      ...{ id, name: nameOfContainer(container), isRunning: runningStates.has(State), createdAt: Created * 1_000 },
      ...(address === '' ? {} : { address }),
      ...(instance === undefined ? {} : { instance }),
    }
  }
}

const deadEndpoints = (network: NetworkInspectInfo | undefined) =>
  Object.entries(network?.Containers ?? {}).flatMap(([key, endpoint]) => (key.startsWith('ep-') ? [endpoint] : []))

/** Docker takes the names of a filter for regular expressions. */
const escaped = (name: string): string => name.replace(/[^\w-]/g, '\\$&')
