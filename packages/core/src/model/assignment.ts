import type { NodeLan } from '../network/lan.ts'
import type { TwinPool } from '../network/twin-address.ts'
import type {
  ConfigFile,
  HookSpec,
  NetworkMode,
  PortSpec,
  ProbeSpec,
  RestartPolicy,
  UlimitSpec,
  VolumeSpec,
} from './app-spec.ts'
import type { ExternalService } from './external-service.ts'
import type { InstancePort, NetworkAttachment } from './instance.ts'
import type { OwnDomain } from './own-domain.ts'
import type { BurstMode } from './placement-spec.ts'

/**
 * What an agent needs to run one instance, resolved by the server: no look-up is left to the node. It never changes for an instance,
 * except `desired` (run → drain → stop) and the grant of CPU, memory and cores.
 */
export interface Assignment {
  readonly instance: string
  /** Tells the instance from an earlier one of the same id; see `isSameIncarnation`. Absent: from a server before that was told. */
  readonly createdAt?: number
  readonly app: string
  readonly pool: string
  readonly environment: string
  readonly entrypoint: string
  readonly ordinal: number
  readonly release: string
  readonly commit?: string
  readonly type: 'service' | 'job'
  readonly desired: 'run' | 'drain' | 'stop'
  /** Raised to ask for a restart in place of the same instance. */
  readonly restartNonce: number
  readonly address: string
  /** Its twin of IPv6. Absent: its pool has none. */
  readonly address6?: string
  /** Absent: the cluster's. */
  readonly network?: NetworkMode
  /** Docker networks that it is in as well; they change while it runs. Absent: none. */
  readonly networks?: readonly NetworkAttachment[]
  readonly hostname: string
  readonly image: string
  readonly command: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** Secret files under `/run/secrets`; values travel only over the mutually authenticated link and are redacted in every log. */
  readonly secrets: readonly SecretFile[]
  readonly config: readonly ConfigFile[]
  /** The grant: `cpuMilli`, `memoryBytes`, `cores`, `burst`; see `Grant`. */
  readonly cpuMilli: number
  readonly memoryBytes: number
  /** The cores that it owns on its node: `2-3,7:300` are cores 2 and 3, and 300 thousandths of core 7. Absent: none. */
  readonly cores?: string
  readonly burst?: BurstMode
  readonly diskBytes?: number
  /** Limits of its network; they change while it runs. Absent: none. */
  readonly bandwidth?: BandwidthLimits
  readonly ports: readonly PortSpec[]
  /** Ports of the node that lead to it; they change while it runs. Absent: none. */
  readonly published?: readonly InstancePort[]
  readonly volumes: readonly VolumeSpec[]
  readonly sysctls: Readonly<Record<string, string>>
  readonly ulimits: readonly UlimitSpec[]
  readonly user?: string
  readonly workingDirectory?: string
  readonly capabilities: readonly string[]
  /** Security profiles that it names, in order. Absent: none; the default one may hold. */
  readonly profiles?: readonly string[]
  /** Where short names are looked for behind its own app's. Absent: where the cluster says. */
  readonly searchDomains?: readonly string[]
  readonly init: boolean
  /** It has a socket to its agent. Absent: none. */
  readonly socket?: InstanceSocketSpec
  readonly readiness?: ProbeSpec
  readonly liveness?: ProbeSpec
  readonly afterStart?: HookSpec
  readonly beforeStop?: HookSpec
  readonly restart: RestartPolicy
  readonly stopSignal: string
  readonly stopGraceMs: number
  readonly readyTimeoutMs: number
  readonly jobTimeoutMs: number
  readonly labels: Readonly<Record<string, string>>
  readonly logMaxBytes: number
  readonly logMaxFiles: number
}

export interface InstanceSocketSpec {
  /** What it binds, in order of `as`. */
  readonly services: readonly BoundService[]
}

/** What `DB_HOST` and `DB_PORT` tell, and whose instances these are. */
export interface BoundService {
  /** `DB` */
  readonly as: string
  readonly app: string
  readonly entrypoint: string
  /** Absent: the app's, as names have it. */
  readonly pool?: string
  readonly host: string
  readonly port?: number
}

/** As the instance sees it: what comes to it, and what it sends. Absent: not limited. */
export interface BandwidthLimits {
  readonly inBitsPerSecond?: number
  readonly outBitsPerSecond?: number
}

export interface SecretFile {
  readonly file: string
  readonly value: string
  readonly env?: string
}

/** Names that a node's DNS answers with addresses; built by the server, kept on disk by the node. */
export interface NameTable {
  readonly version: number
  /** Ready instances only. */
  readonly entries: readonly NameEntry[]
  /**
   * What exists, ready or not: a pool without a ready instance is answered with nothing, never with another pool's addresses (a
   * staging instance must not reach production because staging is down). Absent: only what `entries` shows is known to exist.
   */
  readonly apps?: readonly NamedApp[]
  /** Absent: none. */
  readonly externals?: readonly NamedExternal[]
  /** Absent: none. */
  readonly domains?: readonly NamedDomain[]
  /** Services that programs have registered and that are not critical. Absent: none. */
  readonly services?: readonly NamedService[]
}

/** What a program has registered, as far as names go. */
export interface NamedService {
  readonly service: string
  readonly address: string
  readonly port: number
  readonly tags: readonly string[]
  /** Absent: nobody says. */
  readonly site?: string
}

/** An external service, as far as names go. */
export type NamedExternal = Pick<ExternalService, 'name' | 'addresses' | 'target' | 'ports' | 'site'> & WithAddresses6

/** An own domain, as far as names go. */
export type NamedDomain = OwnDomain & WithAddresses6

/** `addresses` are of IPv4 alone then: netd of a version before knows no others. */
export interface WithAddresses6 {
  /** Absent: none. */
  readonly addresses6?: readonly string[]
}

export interface NamedApp {
  readonly app: string
  /** Its services; `<app>.berth` means the first, which is the default entrypoint (`namedServices`). */
  readonly entrypoints: readonly string[]
  readonly pools: readonly string[]
}

export interface NameEntry {
  readonly app: string
  readonly pool: string
  readonly entrypoint: string
  readonly instance: string
  readonly address: string
  /** It was made before its pool got IPv6, and has none. */
  readonly only4?: true
  /** Of its node. Absent: that has none. */
  readonly site?: string
  /** Those that its entrypoint lists for discovery. Absent: none. */
  readonly tags?: readonly string[]
  readonly ports: readonly { readonly name: string; readonly port: number; readonly protocol: 'tcp' | 'udp' }[]
}

/** What a node must know of the cluster's network: its own block and how to reach the others'. */
export interface NetworkConfig {
  /** The range of the address pool that the node's block is of, e.g. `10.77.0.0/16`. */
  readonly pool: string
  /** Ranges of all address pools of the cluster. Absent: there is no other one. */
  readonly pools?: readonly string[]
  /** False: what its instances send to the world bears their own addresses. Absent: the node's. */
  readonly natOutgoing?: false
  readonly block: string
  /** Blocks that it has beside that one. Absent: none. */
  readonly blocks?: readonly string[]
  /** Addresses of other nodes' blocks that instances of this node have. Absent: none. */
  readonly addresses?: readonly string[]
  readonly peers: readonly NetworkPeer[]
  /** Domain of names, `berth`. */
  readonly domain: string
  readonly defaultPool: string
  /** Where short names are looked for behind those of the asker's app, unless its entrypoint says so itself. Absent: nowhere. */
  readonly searchDomains?: readonly string[]
  /** Consul's names are answered below this domain; the node's own name and address, which no peer tells it. Absent: they are not. */
  readonly consul?: { readonly domain: string; readonly node: string; readonly address: string }
  /** Where the node stands: its label `site`. Absent: it has none. */
  readonly site?: string
  /** Pools whose addresses have twins of IPv6. Absent: there are none. */
  readonly twins?: readonly TwinPool[]
  /** Networks of the machines' own that its containers may be in. Absent: none. */
  readonly lans?: readonly NodeLan[]
}

/** Another node, and what is reached by it. */
export interface NetworkPeer {
  readonly node: string
  readonly block: string
  readonly via: string
  /** Blocks that it has beside that one. Absent: none. */
  readonly blocks?: readonly string[]
  /** Addresses of other nodes' blocks (the asker's own among them) that its instances have. Absent: none. */
  readonly addresses?: readonly string[]
}
