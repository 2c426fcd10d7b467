import type { InstanceShare } from './instance-share.ts'
import type { BurstMode, PlacementSpec, ScheduleSpec } from './placement-spec.ts'
import type { PortRouteSpec } from './port-route-spec.ts'
import type { RouteOptions } from './route-options.ts'
import type { StageSpec } from './stage-spec.ts'

/**
 * The canonical form of `berth.yaml`: everything said, in base units, sorted, with defaults filled in. `spec/` makes it from what a
 * user wrote; a Release carries it; everything downstream trusts it. CPU is in thousandths of a core, sizes in bytes, times in ms.
 */
export interface AppSpec {
  readonly app: string
  readonly build: BuildSpec
  /** In the file's order: the first service with a tcp port is the default one (`defaultEntrypoint`). */
  readonly entrypoints: Readonly<Record<string, EntrypointSpec>>
  readonly routes: readonly RouteSpec[]
  /** Ports of the gateways that lead to entrypoints. Absent: none. */
  readonly portRoutes?: readonly PortRouteSpec[]
  readonly rollout: RolloutSpec
  /** Jobs (entrypoints) that are run in the built image, in order, before a release of it may go anywhere. Absent: none. */
  readonly test?: readonly string[]
  /** Values that differ by environment; the image never does. Key: environment name, also the default name of its pool. */
  readonly environments: Readonly<Record<string, EnvironmentSpec>>
}

/** Where the image comes from. */
export type BuildSpec =
  /** The image chain base → runtime → app with a Dockerfile that Berth generates. */
  | {
      readonly type: 'chain'
      /**
       * An image reference when it has a `/`, `:` or `.` (`node:26-slim`, `berth/base:local`), `scratch`, or else a level's name
       * (`berth/levels/<name>/` in the repository, or a level of the server). `build/image-reference.ts` owns the rule.
       */
      readonly base: string
      /** Level names on top of the base, in order. */
      readonly runtimes: readonly string[]
      /** Commands run in /app at build, one layer each, as shell lines of the owner's own repository. */
      readonly run: readonly string[]
      /** Files copied before `run` so that dependency layers are cached (`package.json`, `package-lock.json`). */
      readonly dependencyFiles: readonly string[]
      readonly dependencyRun: readonly string[]
      readonly args: Readonly<Record<string, string>>
      readonly limits: BuildLimits
    }
  | {
      readonly type: 'dockerfile'
      readonly dockerfile: string
      readonly target?: string
      readonly args: Readonly<Record<string, string>>
      readonly limits: BuildLimits
    }
  /** A ready image, taken as it is. */
  | { readonly type: 'image'; readonly image: string }

export interface BuildLimits {
  readonly cpuMilli: number
  readonly memoryBytes: number
  readonly timeoutMs: number
  /** Docker network mode of build steps: `default`, `none` or `host`. */
  readonly network: string
  readonly proxy?: string
}

/**
 * `host`: the node's own network; the instance's address is the node's, and its ports are too. `bridge`: Docker's own bridge, `bridge:storage`
 * another one of the node; the instance's address is its node's alone, and others reach it by the ports of the node that lead to it. `lan:office`:
 * a network of the machines' own; its address is of that network, given by Docker as it starts.
 */
export type NetworkMode = 'host' | 'bridge' | `bridge:${string}` | `lan:${string}`

/** `keep`: its instances have the same addresses after every replacement, wherever they run then. */
export type AddressMode = 'keep'

export type EntrypointType = 'service' | 'job'

export interface EntrypointSpec {
  readonly type: EntrypointType
  /** Argument vector; empty means the image's own command. */
  readonly command: readonly string[]
  /** 0 for jobs. */
  readonly replicas: number
  /** undefined: 4 cores and 8 GiB, or the node's size where that is smaller. */
  readonly resources: ResourceSpec
  /** The first is the default one; the others are sorted by name. */
  readonly ports: readonly PortSpec[]
  readonly env: Readonly<Record<string, string>>
  /** Mounted as files `/run/secrets/<file>`; never in the environment unless `env` is set. */
  readonly secrets: readonly SecretReference[]
  /** Files written into the container read-only. */
  readonly config: readonly ConfigFile[]
  /** Apps or entrypoints whose address is injected: `db` → `DB_HOST`, `DB_PORT` (`shop/db` or `db` in the same app). */
  readonly bind: readonly BindSpec[]
  readonly volumes: readonly VolumeSpec[]
  readonly sysctls: Readonly<Record<string, string>>
  readonly ulimits: readonly UlimitSpec[]
  readonly user?: string
  readonly workingDirectory?: string
  readonly capabilities: readonly string[]
  /** Security profiles in the order in which their rules are asked, its own or the app's. Absent: none. */
  readonly profiles?: readonly string[]
  /** Where short names are looked for behind its own app's, its own or the app's. Absent: where the cluster says. */
  readonly searchDomains?: readonly string[]
  /** Absent: the cluster's own, with an address for each instance. */
  readonly network?: NetworkMode
  /** Absent: each instance has an address of its own, and its successor another. */
  readonly address?: AddressMode
  /** Docker networks of its node that it is in as well, by name, in order of the names. Absent: none. */
  readonly networks?: readonly string[]
  readonly init: boolean
  /** It can talk to its agent at a socket in its file system. Absent: not. */
  readonly socket?: true
  readonly health: { readonly readiness?: ProbeSpec; readonly liveness?: ProbeSpec }
  readonly hooks: { readonly afterStart?: HookSpec; readonly beforeStop?: HookSpec }
  readonly restart: RestartPolicy
  readonly stop: { readonly signal: string; readonly graceMs: number }
  /** Longest wait for requests in flight after leaving traffic. */
  readonly drainMs: number
  /** A new instance that is not ready after this has failed. */
  readonly readyTimeoutMs: number
  readonly labels: Readonly<Record<string, string>>
  readonly logs: { readonly maxBytes: number; readonly maxFiles: number }
  /** Jobs: the run is ended after this; 0 = no limit. */
  readonly jobTimeoutMs: number
  /** Jobs that run by the clock. */
  readonly schedule?: ScheduleSpec
  /** Absent in releases made before there was a choice: read it with `placementOf`. */
  readonly placement?: PlacementSpec
  /** −1000 … 1000; absent: 0. */
  readonly priority?: number
  /** It may displace others of lower priority that allow it. */
  readonly preempt?: boolean
  /** It may be displaced by others. */
  readonly preemptible?: boolean
  /** All that are to be created at once find a place, or none is created. */
  readonly gang?: boolean
}

export interface ResourceSpec {
  readonly cpuMilli?: number
  readonly memoryBytes?: number
  readonly diskBytes?: number
  /** On cores that it shares with others; absent: `share`. */
  readonly burst?: BurstMode
  /** Limits of its network, as it sees it: what comes to it, and what it sends. Absent: none. */
  readonly inBitsPerSecond?: number
  readonly outBitsPerSecond?: number
  /** Of its node's uplink so much is kept for it. */
  readonly guaranteedInBitsPerSecond?: number
  readonly guaranteedOutBitsPerSecond?: number
  /** What nodes declare beyond these, by name: `{gpu: 1}`. Whole numbers above 0. */
  readonly extra?: Readonly<Record<string, number>>
}

export interface PortSpec {
  readonly name: string
  readonly port: number
  readonly protocol: 'tcp' | 'udp'
  /** Published on the node as well. */
  readonly hostPort?: number
}

export interface SecretReference {
  readonly name: string
  readonly file: string
  /** Also given as this environment variable, by the owner's explicit wish (it then lands on Docker's disk in clear). */
  readonly env?: string
}

export interface ConfigFile {
  readonly path: string
  readonly content: string
  readonly mode: number
}

export interface BindSpec {
  readonly app: string
  readonly entrypoint: string
  /** Prefix of the variables, e.g. `DB`. */
  readonly as: string
}

export type VolumeSpec =
  | { readonly type: 'named'; readonly name: string; readonly path: string; readonly readOnly: boolean }
  | { readonly type: 'host'; readonly source: string; readonly path: string; readonly readOnly: boolean }
  | { readonly type: 'tmpfs'; readonly path: string; readonly sizeBytes: number }

export interface UlimitSpec {
  readonly name: string
  readonly soft: number
  readonly hard: number
}

export type ProbeCheck =
  | { readonly type: 'http'; readonly port: number; readonly path: string; readonly host?: string }
  | { readonly type: 'tcp'; readonly port: number }
  | { readonly type: 'exec'; readonly command: readonly string[] }
  /** Nothing is asked: the program says so at its socket. */
  | { readonly type: 'report' }

export interface ProbeSpec {
  readonly check: ProbeCheck
  readonly delayMs: number
  readonly intervalMs: number
  readonly timeoutMs: number
  readonly successes: number
  readonly failures: number
}

/** A command inside the container. */
export interface HookSpec {
  readonly command: readonly string[]
  readonly timeoutMs: number
}

/** Berth's agent restarts, never Docker (its own policy stays `no`). Backoff grows from 1 s to 60 s. */
export type RestartPolicy = 'always' | 'on-failure' | 'never'

export interface RouteSpec {
  readonly host: string
  readonly path: string
  readonly entrypoint: string
  /** Port name of the entrypoint. */
  readonly port: string
  readonly tls: 'off' | 'on' | 'redirect'
  readonly stripPath: boolean
  readonly timeoutMs: number
  /** 0: no limit. */
  readonly maxBodyBytes: number
  /** What few routes need; absent where nothing of it is said. */
  readonly options?: RouteOptions
}

export interface RolloutSpec {
  /** Instances above the wanted count while it runs; a share is rounded up. */
  readonly surge: InstanceShare
  /** Instances that may be missing while it runs; a share is rounded down. */
  readonly unavailable: InstanceShare
  /** A new instance must stay ready for this long before the next batch. */
  readonly settleMs: number
  /** Jobs (entrypoints) run to their end before the first instance is replaced, in order: `migrate`. */
  readonly before: readonly string[]
  /** How long no node may get the image although one waits for it, before anything is replaced. Absent: the default. */
  readonly imageTimeoutMs?: number
  /** What a deploy over another release goes through; the last one is about all instances. Absent: it has no stages. */
  readonly stages?: readonly StageSpec[]
  /** Old instances end before new ones begin: two of them must not be there at once. Absent: no. */
  readonly recreate?: true
  /** So many people, other than who asks for it, have to say yes before a deploy begins. Absent: none. */
  readonly approvals?: number
}

export interface EnvironmentSpec {
  readonly env: Readonly<Record<string, string>>
  readonly entrypoints: Readonly<Record<string, EntrypointOverride>>
  /** Replaces the app's routes when given. */
  readonly routes?: readonly RouteSpec[]
  /** Given with `routes`, and replaces the app's with them. Absent: none. */
  readonly portRoutes?: readonly PortRouteSpec[]
  /** What is given replaces the app's, part by part. */
  readonly rollout?: Partial<RolloutSpec>
}

export interface EntrypointOverride {
  readonly replicas?: number
  readonly resources?: ResourceSpec
  readonly env?: Readonly<Record<string, string>>
  /** What is given replaces the entrypoint's, part by part. */
  readonly placement?: Partial<PlacementSpec>
  readonly priority?: number
  /** `off`: in this environment the job does not run by the clock. */
  readonly schedule?: ScheduleSpec | 'off'
}
