import type { Readable } from 'node:stream'
import type { KernelGrant, NetworkAttachment, ObservedNetwork } from '@berth/core'

/**
 * What the agent needs of a container engine. Every call takes a signal, has a time limit of its own and fails with a `BerthError`
 * whose code starts with `engine.`; see `engine-error.ts` for the codes that callers may act upon.
 */
export interface Engine {
  ping(options?: CallOptions): Promise<void>
  info(options?: CallOptions): Promise<EngineInfo>

  /** Resolves to the container's id. Throws `engine.name-taken`, `engine.image-missing`, `engine.disk-full`, … */
  createContainer(spec: ContainerSpec, options?: CallOptions): Promise<string>
  startContainer(id: string, options?: CallOptions): Promise<void>
  /** Sends the container's stop signal, then SIGKILL after the grace; resolves when it no longer runs. */
  stopContainer(id: string, graceMs: number, options?: CallOptions): Promise<void>
  /** Removes a container that does not run, with its anonymous volumes. One that is gone already is no error. */
  removeContainer(id: string, options?: CallOptions): Promise<void>
  updateGrant(id: string, grant: KernelGrant, options?: CallOptions): Promise<void>
  listNetworks(options?: CallOptions): Promise<readonly EngineNetwork[]>
  /** Throws `engine.network-missing`, `engine.address-taken`, … One that is in it already is no error. */
  connectNetwork(id: string, network: NetworkAttachment, options?: CallOptions): Promise<void>
  /** One that is not in it is no error. */
  disconnectNetwork(id: string, network: string, options?: CallOptions): Promise<void>
  inspectContainer(idOrName: string, options?: CallOptions): Promise<ContainerView | undefined>
  /** Size of the writable layer where nobody but the engine can find out; undefined where the engine holds it within its size. */
  layerBytes(id: string, options?: CallOptions): Promise<number | undefined>
  /** Every container, running or not, that has the label. */
  listContainers(label: string, options?: CallOptions): Promise<readonly ContainerSummary[]>
  /** Ends when the engine closes the stream; throws when the connection breaks. Only containers that have the label. */
  events(options: EventOptions): AsyncIterable<EngineEvent>
  logs(id: string, options: LogOptions): AsyncIterable<EngineLogLine>
  /** A regular file of the container, running or not; undefined when there is none. */
  readFile(id: string, path: string, options?: CallOptions): Promise<Buffer | undefined>
  exec(id: string, request: ExecRequest, options?: CallOptions): Promise<ExecSession>

  /** undefined when the image is not here. */
  inspectImage(reference: string, options?: CallOptions): Promise<ImageView | undefined>
  pullImage(reference: string, options?: PullOptions): Promise<void>
  /** A tar in the format of `docker save`. */
  saveImage(reference: string, options?: CallOptions): Promise<Readable>
  /** Resolves to the id of the (last) image of the archive. */
  loadImage(archive: Readable, options?: CallOptions): Promise<string>
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined
}

export interface RegistryLogin {
  readonly host: string
  readonly username: string
  readonly password: string
}

export interface PullOptions extends CallOptions {
  /** For this pull only; the engine does not keep it. */
  readonly login?: RegistryLogin
}

export interface EngineInfo {
  readonly version: string
  /** The API version in use: the lower of the engine's and the newest tested. */
  readonly api: string
  readonly rootDirectory: string
  readonly cpus: number
  readonly memoryBytes: number
  readonly kernel: string
  readonly os: string
  readonly cgroup: 'v1' | 'v2'
  readonly liveRestore: boolean
  /** It can hold the writable layer of a container within a size. */
  readonly layerQuota: boolean
}

export type MountSpec =
  | { readonly type: 'bind'; readonly source: string; readonly target: string; readonly readOnly: boolean }
  | { readonly type: 'volume'; readonly source: string; readonly target: string; readonly readOnly: boolean }
  | { readonly type: 'tmpfs'; readonly target: string; readonly sizeBytes: number }

export interface ContainerSpec extends KernelGrant {
  readonly name: string
  readonly image: string
  /** Empty: the image's own. */
  readonly command: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly labels: Readonly<Record<string, string>>
  readonly hostname: string
  /** `host`: the node's own. Without an address the engine chooses one. */
  readonly network: { readonly name: string; readonly address?: string; readonly address6?: string } | 'host'
  readonly mounts: readonly MountSpec[]
  readonly ports: readonly { readonly port: number; readonly protocol: 'tcp' | 'udp'; readonly hostPort?: number }[]
  readonly user?: string
  readonly workingDirectory?: string
  readonly capabilities: readonly string[]
  readonly sysctls: Readonly<Record<string, string>>
  readonly ulimits: readonly { readonly name: string; readonly soft: number; readonly hard: number }[]
  readonly init: boolean
  readonly pidsLimit: number
  readonly stopSignal: string
  readonly stopGraceMs: number
  readonly logMaxBytes: number
  readonly logMaxFiles: number
  /** Of its writable layer, where the engine can hold it within a size; elsewhere it is not looked at. */
  readonly layerMaxBytes?: number
}

export type ContainerState = 'created' | 'running' | 'exited'

/** Times are milliseconds since the epoch. */
export interface ContainerView extends KernelGrant {
  readonly id: string
  readonly name: string
  readonly state: ContainerState
  readonly pid?: number
  readonly startedAt?: number
  readonly finishedAt?: number
  readonly exitCode?: number
  readonly outOfMemory: boolean
  readonly image: string
  /** Effective user: the container's or the image's. */
  readonly user: string
  readonly labels: Readonly<Record<string, string>>
  /** All that it is in; with an address only while it runs. */
  readonly networks: readonly ObservedNetwork[]
  /** Where its writable layer lies on the host; absent where the engine does not tell. */
  readonly layerDirectory?: string
  readonly logDirectory?: string
  /** What the engine said when a start failed. */
  readonly error?: string
}

export interface ContainerSummary {
  readonly id: string
  readonly name: string
  readonly state: ContainerState
  readonly labels: Readonly<Record<string, string>>
}

export interface EngineNetwork {
  readonly name: string
  readonly driver: string
  /** The link of the host that joins its containers, where it is a bridge. */
  readonly bridge?: string
}

export interface EventOptions extends CallOptions {
  readonly label: string
  readonly sinceMs?: number
  /** Called once the engine has accepted the subscription: a list made afterwards misses nothing. */
  readonly onOpen?: () => void
}

export interface EngineEvent {
  readonly type: 'start' | 'exit' | 'out-of-memory' | 'removed' | 'updated'
  readonly containerId: string
  readonly labels: Readonly<Record<string, string>>
  readonly at: number
}

export interface LogOptions extends CallOptions {
  readonly follow: boolean
  /** Last lines only; absent: all. */
  readonly tail?: number
  /** Lines after this position: a time as the engine writes it, with nanoseconds. */
  readonly after?: string
  readonly sinceMs?: number
}

export interface EngineLogLine {
  readonly at: number
  /** The engine's own time stamp; pass it as `after` to go on from here. */
  readonly position: string
  readonly stream: 'stdout' | 'stderr'
  readonly line: string
}

export interface ExecRequest {
  readonly command: readonly string[]
  readonly tty: boolean
  readonly stdin: boolean
  readonly size?: { readonly columns: number; readonly rows: number }
}

/** A command in a container. Disposing it before its end kills it. */
export interface ExecSession extends AsyncDisposable {
  /** With a terminal everything comes as stdout. Ends when the command ends. */
  readonly output: AsyncIterable<{ readonly stream: 'stdout' | 'stderr'; readonly data: Buffer }>
  /** Resolves when more may be written. */
  write(data: Uint8Array): Promise<void>
  endInput(): void
  resize(size: { readonly columns: number; readonly rows: number }): Promise<void>
  /** To be read after `output` has ended. */
  exitCode(): Promise<number>
}

export interface ImageView {
  readonly id: string
  readonly user: string
  readonly sizeBytes: number
}
