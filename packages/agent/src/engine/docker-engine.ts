import { readFile } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { BerthError, type KernelGrant, messageOf, type NetworkAttachment } from '@berth/core'
import { type DockerClient, readAll } from './docker-client.ts'
import {
  type DockerInspect,
  type DockerNetworkSummary,
  type DockerSize,
  type DockerSummary,
  dockerGrant,
  toContainerSummary,
  toContainerView,
  toDockerCreate,
  toEngineNetwork,
} from './docker-container.ts'
import { startExec } from './docker-exec.ts'
import { DockerImages } from './docker-images.ts'
import { jsonLines, logLines, sinceAfter } from './docker-stream.ts'
import type {
  CallOptions,
  ContainerSpec,
  ContainerSummary,
  ContainerView,
  Engine,
  EngineEvent,
  EngineInfo,
  EngineLogLine,
  EngineNetwork,
  EventOptions,
  ExecRequest,
  ExecSession,
  ImageView,
  LogOptions,
  PullOptions,
} from './engine.ts'
import { hasCode } from './engine-error.ts'
import { hasLayerQuota, type StorageFacts } from './layer-quota.ts'
import { Limiter } from './limiter.ts'

export interface DockerEngineOptions {
  readonly client: DockerClient
  /** Creates and starts at a time; more only makes each of them slower. */
  readonly concurrentStarts?: number
  readonly concurrentPulls?: number
}

const quickMs = 15_000
const slowMs = 120_000
const maxFileBytes = 1024 * 1024

/** Docker Engine 20.10 and newer. The client belongs to whoever made it. */
export class DockerEngine implements Engine {
  readonly #client: DockerClient
  readonly #starts: Limiter
  readonly #images: DockerImages
  /** As the last look at its facts told. */
  #layerQuota = false

  constructor(options: DockerEngineOptions) {
    this.#client = options.client
    this.#starts = new Limiter(options.concurrentStarts ?? 8)
    this.#images = new DockerImages(this.#client, new Limiter(options.concurrentPulls ?? 3))
  }

  async ping({ signal }: CallOptions = {}): Promise<void> {
    await this.#client.ping(quickMs, signal)
  }

  async info({ signal }: CallOptions = {}): Promise<EngineInfo> {
    const api = await this.#client.version(signal)
    const call = {
      action: 'read the facts of Docker',
      method: 'GET',
      path: '/info',
      timeoutMs: quickMs,
      signal,
    } as const
    const info = await this.#client.json<DockerInfo>(call)
    this.#layerQuota = hasLayerQuota(info, await readFile('/proc/self/mountinfo', 'utf8'))
    return {
      version: info.ServerVersion,
      api,
      rootDirectory: info.DockerRootDir,
      cpus: info.NCPU,
      memoryBytes: info.MemTotal,
      kernel: info.KernelVersion,
      os: info.OperatingSystem,
      cgroup: info.CgroupVersion === '2' ? 'v2' : 'v1',
      liveRestore: info.LiveRestoreEnabled === true,
      layerQuota: this.#layerQuota,
    }
  }

  async createContainer(spec: ContainerSpec, { signal }: CallOptions = {}): Promise<string> {
    try {
      return await this.#create(spec, this.#layerQuota, signal)
    } catch (error) {
      if (!this.#layerQuota || !/storage-opt/.test(messageOf(error))) throw error
      // It looked as if it could, and it is Docker that knows.
      this.#layerQuota = false
      return await this.#create(spec, false, signal)
    }
  }

  async #create(spec: ContainerSpec, layerQuota: boolean, signal: AbortSignal | undefined): Promise<string> {
    const call = {
      action: `create container ${spec.name}`,
      method: 'POST',
      path: '/containers/create',
      query: { name: spec.name },
      body: toDockerCreate(spec, { layerQuota }),
      timeoutMs: slowMs,
      signal,
    } as const
    const created = await this.#starts.run(() => this.#client.json<{ Id: string }>(call), signal)
    return created.Id
  }

  async startContainer(id: string, { signal }: CallOptions = {}): Promise<void> {
    const action = `start container ${shortId(id)}`
    await this.#starts.run(() => this.#post(action, `${containerPath(id)}/start`, {}, slowMs, signal), signal)
  }

  async stopContainer(id: string, graceMs: number, { signal }: CallOptions = {}): Promise<void> {
    const seconds = Math.ceil(graceMs / 1000)
    const query = { t: seconds }
    await this.#post(
      `stop container ${shortId(id)}`,
      `${containerPath(id)}/stop`,
      query,
      seconds * 1000 + 30_000,
      signal,
    )
  }

  async removeContainer(id: string, { signal }: CallOptions = {}): Promise<void> {
    try {
      await this.#client.json({
        action: `remove container ${shortId(id)}`,
        method: 'DELETE',
        path: containerPath(id),
        query: { v: true },
        timeoutMs: slowMs,
        signal,
      })
    } catch (error) {
      if (!hasCode(error, 'engine.not-found')) throw error
    }
  }

  async updateGrant(id: string, grant: KernelGrant, { signal }: CallOptions = {}): Promise<void> {
    const action = `change the CPU and memory of container ${shortId(id)}`
    await this.#post(action, `${containerPath(id)}/update`, {}, quickMs, signal, dockerGrant(grant))
  }

  async inspectContainer(id: string, { signal }: CallOptions = {}): Promise<ContainerView | undefined> {
    const action = `inspect container ${shortId(id)}`
    const path = `${containerPath(id)}/json`
    const found = await this.#found<DockerInspect>({ action, method: 'GET', path, timeoutMs: quickMs, signal })
    return found === undefined ? undefined : toContainerView(found)
  }

  async listNetworks({ signal }: CallOptions = {}): Promise<readonly EngineNetwork[]> {
    const action = 'list the networks of Docker'
    const call = { action, method: 'GET', path: '/networks', timeoutMs: quickMs, signal } as const
    return (await this.#client.json<readonly DockerNetworkSummary[]>(call)).map(toEngineNetwork)
  }

  async connectNetwork(id: string, { name, address }: NetworkAttachment, { signal }: CallOptions = {}): Promise<void> {
    const endpoint = address === undefined ? {} : { EndpointConfig: { IPAMConfig: { IPv4Address: address } } }
    const action = `put container ${shortId(id)} into network ${name}`
    try {
      await this.#post(action, networkPath(name, 'connect'), {}, slowMs, signal, { Container: id, ...endpoint })
    } catch (error) {
      if (!/endpoint with name .* already exists in network|already attached to network/i.test(messageOf(error)))
        throw error
    }
  }

  async disconnectNetwork(id: string, network: string, { signal }: CallOptions = {}): Promise<void> {
    const action = `take container ${shortId(id)} out of network ${network}`
    try {
      await this.#post(action, networkPath(network, 'disconnect'), {}, slowMs, signal, { Container: id, Force: true })
    } catch (error) {
      if (!/is not connected to/i.test(messageOf(error))) throw error
    }
  }

  async layerBytes(id: string, { signal }: CallOptions = {}): Promise<number | undefined> {
    if (this.#layerQuota) return undefined
    const action = `measure container ${shortId(id)}`
    const [path, query] = [`${containerPath(id)}/json`, { size: true }]
    const found = await this.#found<DockerSize>({ action, method: 'GET', path, query, timeoutMs: slowMs, signal })
    return found?.SizeRw ?? 0
  }

  async listContainers(label: string, { signal }: CallOptions = {}): Promise<readonly ContainerSummary[]> {
    const all = await this.#client.json<readonly DockerSummary[]>({
      action: 'list containers',
      method: 'GET',
      path: '/containers/json',
      query: { all: true, filters: JSON.stringify({ label: [label] }) },
      timeoutMs: 30_000,
      signal,
    })
    return all.map(toContainerSummary)
  }

  async *events({ label, sinceMs, onOpen, signal }: EventOptions): AsyncGenerator<EngineEvent> {
    const filters = { type: ['container'], label: [label], event: Object.keys(eventTypes) }
    const response = await this.#client.stream({
      action: 'subscribe to Docker’s events',
      method: 'GET',
      path: '/events',
      query: { filters: JSON.stringify(filters), since: sinceMs === undefined ? undefined : sinceMs / 1000 },
      timeoutMs: quickMs,
      signal,
    })
    onOpen?.()
    try {
      for await (const event of jsonLines<DockerEvent>(response)) {
        const type = eventTypes[event.Action]
        if (type === undefined) continue
        const { ID: containerId, Attributes: labels } = event.Actor
        yield { type, containerId, labels, at: Math.floor(event.timeNano / 1e6) }
      }
    } finally {
      response.destroy()
    }
  }

  async *logs(id: string, options: LogOptions): AsyncGenerator<EngineLogLine> {
    const { follow, tail, after, sinceMs, signal } = options
    const since = after === undefined ? (sinceMs === undefined ? undefined : sinceMs / 1000) : sinceAfter(after)
    const response = await this.#client.stream({
      action: `read the log of container ${shortId(id)}`,
      method: 'GET',
      path: `${containerPath(id)}/logs`,
      query: { follow, stdout: true, stderr: true, timestamps: true, tail: tail ?? 'all', since },
      timeoutMs: quickMs,
      signal,
    })
    try {
      yield* logLines(response)
    } finally {
      response.destroy()
    }
  }

  async readFile(id: string, path: string, { signal }: CallOptions = {}): Promise<Buffer | undefined> {
    try {
      const response = await this.#client.stream({
        action: `read ${path} of container ${shortId(id)}`,
        method: 'GET',
        path: `${containerPath(id)}/archive`,
        query: { path },
        timeoutMs: quickMs,
        signal,
      })
      return firstFileOf(await readAll(response, maxFileBytes))
    } catch (error) {
      if (hasCode(error, 'engine.not-found')) return undefined
      throw error
    }
  }

  exec(id: string, request: ExecRequest, options: CallOptions = {}): Promise<ExecSession> {
    return startExec(this.#client, id, request, options)
  }

  inspectImage(reference: string, options: CallOptions = {}): Promise<ImageView | undefined> {
    return this.#images.inspect(reference, options)
  }

  pullImage(reference: string, options: PullOptions = {}): Promise<void> {
    return this.#images.pull(reference, options)
  }

  saveImage(reference: string, options: CallOptions = {}): Promise<Readable> {
    return this.#images.save(reference, options)
  }

  loadImage(archive: Readable, options: CallOptions = {}): Promise<string> {
    return this.#images.load(archive, options)
  }

  async #post(
    action: string,
    path: string,
    query: Record<string, string | number>,
    timeoutMs: number,
    signal: AbortSignal | undefined,
    body?: object,
  ): Promise<void> {
    await this.#client.json({ action, method: 'POST', path, query, timeoutMs, signal, ...(body ? { body } : {}) })
  }

  async #found<T>(call: Parameters<DockerClient['json']>[0]): Promise<T | undefined> {
    try {
      return await this.#client.json<T>(call)
    } catch (error) {
      if (hasCode(error, 'engine.not-found')) return undefined
      throw error
    }
  }
}

/** The first entry of a tar when it is a regular file: its header has the size in octal and the type. */
function firstFileOf(tar: Buffer): Buffer | undefined {
  const type = String.fromCharCode(tar[156] ?? 0)
  if (tar.length < 512 || (type !== '0' && type !== '\0')) return undefined
  const size = Number.parseInt(tar.subarray(124, 136).toString('latin1'), 8)
  return tar.subarray(512, 512 + size)
}

interface DockerInfo extends StorageFacts {
  readonly ServerVersion: string
  readonly NCPU: number
  readonly MemTotal: number
  readonly KernelVersion: string
  readonly OperatingSystem: string
  readonly CgroupVersion?: string
  readonly LiveRestoreEnabled?: boolean
}

interface DockerEvent {
  readonly Action: string
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> }
  readonly timeNano: number
}

const eventTypes: Readonly<Record<string, EngineEvent['type']>> = {
  start: 'start',
  die: 'exit',
  oom: 'out-of-memory',
  destroy: 'removed',
  update: 'updated',
}

const containerPath = (id: string): string => {
  if (id === '') throw new BerthError('engine.not-found', 'a container without a name was asked for')
  return `/containers/${encodeURIComponent(id)}`
}

const networkPath = (name: string, what: string): string => `/networks/${encodeURIComponent(name)}/${what}`

const shortId = (id: string): string => (/^[0-9a-f]{64}$/.test(id) ? id.slice(0, 12) : id)
