import { dirname } from 'node:path'
import { type KernelGrant, type ObservedNetwork, sharesOfCore } from '@berth/core'
import type {
  ContainerSpec,
  ContainerState,
  ContainerSummary,
  ContainerView,
  EngineNetwork,
  MountSpec,
} from './engine.ts'

const cpuPeriodMicros = 100_000

/**
 * Docker's request for a container. Berth's standard: CPU by period and quota, no swap, every capability dropped that was not asked
 * for, no new privileges, and no restart by Docker (the agent restarts).
 */
export function toDockerCreate(spec: ContainerSpec, options: { readonly layerQuota?: boolean } = {}): object {
  return {
    Image: spec.image,
    // The image's ENTRYPOINT stays: it is what runs the levels' runtime.sh before the command.
    ...(spec.command.length === 0 ? {} : { Cmd: spec.command }),
    Env: Object.entries(spec.env).map(([name, value]) => `${name}=${value}`),
    Labels: spec.labels,
    Hostname: spec.hostname,
    ...(spec.user === undefined ? {} : { User: spec.user }),
    ...(spec.workingDirectory === undefined ? {} : { WorkingDir: spec.workingDirectory }),
    StopSignal: spec.stopSignal,
    StopTimeout: Math.ceil(spec.stopGraceMs / 1000),
    ExposedPorts: Object.fromEntries(spec.ports.map((each) => [portKey(each), {}])),
    HostConfig: { ...hostConfig(spec), ...(options.layerQuota === true ? layerLimit(spec) : {}) },
    ...networking(spec),
  }
}

function networking({ network }: ContainerSpec): object {
  if (network === 'host' || network.address === undefined) return {}
  const { name, address, address6 } = network
  const addresses = { IPv4Address: address, ...(address6 === undefined ? {} : { IPv6Address: address6 }) }
  return { NetworkingConfig: { EndpointsConfig: { [name]: { IPAMConfig: addresses } } } }
}

function hostConfig(spec: ContainerSpec): object {
  // In the node's own network a port is there by itself.
  const published = spec.network === 'host' ? [] : spec.ports.filter((each) => each.hostPort !== undefined)
  return {
    ...dockerGrant(spec),
    NetworkMode: spec.network === 'host' ? 'host' : spec.network.name,
    PidsLimit: spec.pidsLimit,
    CapDrop: ['ALL'],
    CapAdd: spec.capabilities,
    SecurityOpt: ['no-new-privileges'],
    Sysctls: spec.sysctls,
    Ulimits: spec.ulimits.map(({ name, soft, hard }) => ({ Name: name, Soft: soft, Hard: hard })),
    Init: spec.init,
    Mounts: spec.mounts.map(dockerMount),
    PortBindings: Object.fromEntries(published.map((each) => [portKey(each), [{ HostPort: String(each.hostPort) }]])),
    RestartPolicy: { Name: 'no' },
    LogConfig: {
      Type: 'json-file',
      Config: { 'max-size': String(spec.logMaxBytes), 'max-file': String(Math.max(1, spec.logMaxFiles)) },
    },
  }
}

const layerLimit = ({ layerMaxBytes }: ContainerSpec): object =>
  layerMaxBytes === undefined ? {} : { StorageOpt: { size: String(layerMaxBytes) } }

const portKey = (port: { port: number; protocol: string }): string => `${port.port}/${port.protocol}`

/** Nothing is 0 or empty in it: Docker takes that for "as it was" when a container is updated. */
export function dockerGrant({ cpuset, shares, quotaMilli, memoryBytes }: KernelGrant): object {
  return {
    ...(cpuset === '' ? {} : { CpusetCpus: cpuset }),
    CpuShares: shares,
    CpuPeriod: cpuPeriodMicros,
    CpuQuota: quotaMilli === 0 ? -1 : (quotaMilli * cpuPeriodMicros) / 1000,
    Memory: memoryBytes,
    MemorySwap: memoryBytes,
  }
}

function dockerMount(mount: MountSpec): object {
  if (mount.type === 'tmpfs') {
    return { Type: 'tmpfs', Target: mount.target, TmpfsOptions: { SizeBytes: mount.sizeBytes } }
  }
  return { Type: mount.type, Source: mount.source, Target: mount.target, ReadOnly: mount.readOnly }
}

interface DockerEndpoint {
  readonly IPAddress?: string
  /** Of a container that does not run there is none. */
  readonly EndpointID?: string
  readonly IPAMConfig?: { readonly IPv4Address?: string } | null
}

/** What of Docker's answer is read. */
export interface DockerInspect {
  readonly Id: string
  readonly Name: string
  readonly Image: string
  readonly LogPath?: string
  /** Absent with containerd's image store. */
  readonly GraphDriver?: { readonly Data?: Readonly<Record<string, string>> | null }
  readonly State: {
    readonly Status: string
    readonly Pid: number
    readonly ExitCode: number
    readonly OOMKilled: boolean
    readonly Error: string
    readonly StartedAt: string
    readonly FinishedAt: string
  }
  readonly Config: { readonly User?: string; readonly Labels?: Readonly<Record<string, string>> }
  readonly NetworkSettings?: { readonly Networks?: Readonly<Record<string, DockerEndpoint>> | null }
  readonly HostConfig: {
    readonly CpusetCpus?: string
    readonly CpuShares?: number
    readonly CpuQuota?: number
    readonly CpuPeriod?: number
    readonly Memory?: number
  }
}

export function toContainerView(docker: DockerInspect): ContainerView {
  const { State: state, HostConfig: host } = docker
  const startedAt = timeOf(state.StartedAt)
  const finishedAt = timeOf(state.FinishedAt)
  const current = toState(state.Status)
  return {
    id: docker.Id,
    name: docker.Name.replace(/^\//, ''),
    state: current,
    ...(current === 'running' ? { pid: state.Pid } : {}),
    ...(startedAt === undefined ? {} : { startedAt }),
    ...(current !== 'exited' || finishedAt === undefined ? {} : { finishedAt }),
    ...(current === 'exited' ? { exitCode: state.ExitCode } : {}),
    outOfMemory: state.OOMKilled,
    image: docker.Image,
    user: docker.Config.User ?? '',
    labels: docker.Config.Labels ?? {},
    networks: networksOf(docker),
    ...directoriesOf(docker),
    ...(state.Error === '' ? {} : { error: state.Error }),
    cpuset: host.CpusetCpus ?? '',
    shares: host.CpuShares || sharesOfCore,
    quotaMilli: Math.max(0, Math.round(((host.CpuQuota ?? 0) * 1000) / (host.CpuPeriod || cpuPeriodMicros))),
    memoryBytes: host.Memory ?? 0,
  }
}

/** Docker also lists a network that it has refused to put a running container into; it is in those alone of which it has an endpoint. */
function networksOf({
  NetworkSettings: settings,
  State: { Status: status },
}: DockerInspect): readonly ObservedNetwork[] {
  return Object.entries(settings?.Networks ?? {}).flatMap(
    ([name, { IPAddress: address = '', IPAMConfig: config, EndpointID: endpoint }]) => {
      if (toState(status) === 'running' && endpoint === '') return []
      const asked = config?.IPv4Address ?? ''
      return [{ name, ...(address === '' ? {} : { address }), ...(asked === '' ? {} : { asked }) }]
    },
  )
}

/** Of an inspection that asked for sizes. */
export interface DockerSize {
  readonly SizeRw?: number
}

export interface DockerSummary {
  readonly Id: string
  readonly Names: readonly string[]
  readonly State: string
  readonly Labels?: Readonly<Record<string, string>>
}

export const toContainerSummary = (docker: DockerSummary): ContainerSummary => ({
  id: docker.Id,
  name: (docker.Names[0] ?? '').replace(/^\//, ''),
  state: toState(docker.State),
  labels: docker.Labels ?? {},
})

/** A paused container runs, as does one that Docker is restarting: both hold their address. */
function toState(status: string): ContainerState {
  if (status === 'created') return 'created'
  return status === 'running' || status === 'paused' || status === 'restarting' ? 'running' : 'exited'
}

function directoriesOf({ GraphDriver: driver, LogPath: log = '' }: DockerInspect) {
  const layer = driver?.Data?.UpperDir
  return {
    ...(layer === undefined ? {} : { layerDirectory: layer }),
    ...(log === '' ? {} : { logDirectory: dirname(log) }),
  }
}

/** Docker writes the year 1 for never. */
function timeOf(text: string): number | undefined {
  const time = Date.parse(text)
  return Number.isNaN(time) || time <= 0 ? undefined : time
}

export interface DockerNetworkSummary {
  readonly Id: string
  readonly Name: string
  readonly Driver: string
  readonly Options?: Readonly<Record<string, string>> | null
}

/** Docker calls a bridge after its network's id where nobody has said a name. */
export function toEngineNetwork({ Id, Name: name, Driver: driver, Options }: DockerNetworkSummary): EngineNetwork {
  if (driver !== 'bridge') return { name, driver }
  return { name, driver, bridge: Options?.['com.docker.network.bridge.name'] ?? `br-${Id.slice(0, 12)}` }
}
