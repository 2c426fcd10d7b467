import { BerthError, messageOf } from '@berth/core'
import type { Logger } from 'pino'
import { type DockerCall, DockerClient } from '../engine/docker-client.ts'
import { isEngineDown } from '../engine/engine-error.ts'

type Signal = AbortSignal | undefined

const timeoutMs = 15_000

/** What is read of Docker's answer. */
export interface NetworkInspectInfo {
  readonly Id: string
  readonly Name: string
  readonly Driver: string
  readonly IPAM?: {
    readonly Config?:
      | readonly { readonly Subnet?: string; readonly IPRange?: string; readonly Gateway?: string }[]
      | null
  }
  readonly Options?: Readonly<Record<string, string>> | null
  readonly Labels?: Readonly<Record<string, string>> | null
  /** By container; an endpoint that none has, by `ep-` and its id. */
  readonly Containers?: Readonly<Record<string, { readonly Name: string; readonly IPv4Address?: string }>> | null
}

export interface ContainerListInfo {
  readonly Id: string
  readonly Names: readonly string[]
  readonly Labels?: Readonly<Record<string, string>> | null
  readonly State?: string
  /** In seconds. */
  readonly Created?: number
  readonly NetworkSettings?: {
    readonly Networks?: Readonly<Record<string, { readonly IPAddress?: string } | null>> | null
  } | null
}

export const nameOfContainer = ({ Names }: Pick<ContainerListInfo, 'Names'>): string =>
  (Names[0] ?? '').replace(/^\//, '')

/** Calls to a node's engine about one of its networks. All throw `network.engine-unreachable`, `network.engine-refused`. */
export class DockerNetworkCalls {
  readonly #client: DockerClient
  readonly #name: string

  constructor(socketPath: string, name: string, log: Logger) {
    this.#client = new DockerClient(socketPath, log)
    this.#name = name
  }

  async inspect(signal: Signal): Promise<NetworkInspectInfo | undefined> {
    // By list, not by name: a name that is a prefix of some network's id would find that one.
    const query = { filters: JSON.stringify({ name: [this.#name] }) }
    const list = await this.call<NetworkInspectInfo[]>('list', { method: 'GET', path: '/networks', query, signal })
    const found = list.find((each) => each.Name === this.#name)
    if (found === undefined) return undefined
    return await this.call('inspect', { method: 'GET', path: `/networks/${found.Id}`, signal })
  }

  /** Stopped ones too: they would not start again in another network of the same name. */
  async containers(signal: Signal): Promise<ContainerListInfo[]> {
    const query = { all: 'true', filters: JSON.stringify({ network: [this.#name] }) }
    return await this.call('list the containers in', { method: 'GET', path: '/containers/json', query, signal })
  }

  async call<Result = void>(verb: string, call: Omit<DockerCall, 'action'>): Promise<Result> {
    const action = `${verb} the Docker network ${this.#name}`
    try {
      return await this.#client.json<Result>({ action, timeoutMs, ...call })
    } catch (cause) {
      if (!(cause instanceof BerthError)) throw cause
      const code = isEngineDown(cause) ? 'network.engine-unreachable' : 'network.engine-refused'
      throw new BerthError(code, messageOf(cause), { cause, retryable: isEngineDown(cause) })
    }
  }
}
