/**
 * `berth.yaml` as a user writes it, in plain values. Numbers are whole; anything else that looks like a number (`1.3`, `007`) arrives
 * as the text that stood in the file. Every part may be absent: a value of the wrong shape is left out (in lists: `undefined` in its
 * place) after it was reported, so that everything else can still be checked. `docs/guides/berth-yaml.md` explains each key.
 */
export interface SpecDocument {
  readonly app?: string | undefined
  readonly image?: string | undefined
  readonly build?: BuildDocument | undefined
  readonly entrypoints?: Mapping<EntrypointDocument | null> | undefined
  /** Of every entrypoint that names none. */
  readonly profiles?: string | Texts | undefined
  /** Of every entrypoint that says none. */
  readonly searchDomains?: string | Texts | undefined
  readonly routes?: readonly (string | RouteDocument | undefined)[] | undefined
  readonly rollout?: RolloutDocument | undefined
  readonly test?: string | Texts | undefined
  readonly environments?: Mapping<EnvironmentDocument | null> | undefined
}

export type Mapping<T> = Readonly<Record<string, T | undefined>>
export type Texts = readonly (string | undefined)[]
/** A quantity: a whole number, or the text of one with a point or a unit. */
export type Amount = string | number

export interface BuildDocument {
  readonly base?: string | undefined
  readonly runtimes?: string | Texts | undefined
  readonly dependencies?: { readonly files?: Texts | undefined; readonly run?: string | Texts | undefined } | undefined
  readonly run?: string | Texts | undefined
  readonly dockerfile?: string | undefined
  readonly target?: string | undefined
  readonly args?: Mapping<Scalar> | undefined
  readonly limits?: BuildLimitsDocument | undefined
}

export interface BuildLimitsDocument {
  readonly cpu?: Amount | undefined
  readonly memory?: Amount | undefined
  readonly timeout?: Amount | undefined
  readonly network?: string | undefined
  readonly proxy?: string | undefined
}

export type Scalar = string | number | boolean

export interface EntrypointDocument extends ResourcesDocument {
  readonly type?: 'service' | 'job' | undefined
  readonly command?: string | Texts | undefined
  readonly replicas?: number | undefined
  readonly ports?: readonly (PortDocument | undefined)[] | Mapping<PortDocument> | undefined
  readonly env?: Mapping<Scalar> | undefined
  readonly secrets?: readonly (string | SecretDocument | undefined)[] | undefined
  readonly config?: Mapping<string | ConfigDocument> | undefined
  readonly bind?: readonly (string | BindDocument | undefined)[] | undefined
  readonly volumes?: readonly (string | VolumeDocument | undefined)[] | undefined
  readonly sysctls?: Mapping<string | number> | undefined
  readonly ulimits?: Mapping<number | UlimitDocument> | undefined
  readonly user?: string | number | undefined
  readonly workingDirectory?: string | undefined
  readonly capabilities?: Texts | undefined
  readonly profiles?: string | Texts | undefined
  readonly searchDomains?: string | Texts | undefined
  readonly network?: string | undefined
  readonly address?: string | undefined
  readonly networks?: string | Texts | undefined
  readonly init?: boolean | undefined
  readonly socket?: boolean | undefined
  readonly health?: HealthDocument | undefined
  readonly hooks?: HooksDocument | undefined
  readonly restart?: 'always' | 'on-failure' | 'never' | undefined
  readonly stop?: { readonly signal?: string | undefined; readonly grace?: Amount | undefined } | undefined
  readonly drain?: Amount | undefined
  readonly readyTimeout?: Amount | undefined
  readonly labels?: Mapping<Scalar> | undefined
  readonly logs?: { readonly maxSize?: Amount | undefined; readonly maxFiles?: number | undefined } | undefined
  readonly timeout?: Amount | undefined
  readonly schedule?: string | ScheduleDocument | undefined
  readonly placement?: PlacementDocument | undefined
  readonly priority?: number | undefined
  readonly preempt?: boolean | undefined
  readonly preemptible?: boolean | undefined
  readonly gang?: boolean | undefined
}

export interface ResourcesDocument {
  readonly cpu?: Amount | undefined
  readonly memory?: Amount | undefined
  readonly disk?: Amount | undefined
  readonly burst?: 'share' | 'quota' | undefined
  readonly bandwidth?: BandwidthDocument | undefined
  readonly resources?: Mapping<Amount> | undefined
}

/** `200Mbit` */
export interface BandwidthDocument {
  readonly in?: Amount | undefined
  readonly out?: Amount | undefined
  readonly guaranteed?: { readonly in?: Amount | undefined; readonly out?: Amount | undefined } | undefined
}

/** The expression alone, or in full. */
export interface ScheduleDocument {
  readonly cron?: string | undefined
  readonly zone?: string | undefined
  readonly overlap?: 'skip' | 'replace' | 'allow' | undefined
  readonly history?: number | undefined
  readonly grace?: Amount | undefined
}

export interface PlacementDocument {
  readonly group?: string | undefined
  readonly strategy?: 'spread' | 'pack' | 'drain-first' | 'balance' | 'fill' | 'each' | StrategyDocument | undefined
  readonly where?: string | Texts | undefined
  readonly prefer?: readonly (string | PreferenceDocument | undefined)[] | undefined
  readonly apart?: readonly (string | PeerDocument | undefined)[] | undefined
  readonly near?: readonly (string | PeerDocument | undefined)[] | undefined
  readonly spread?: SharesDocument | undefined
  readonly max?: { readonly node?: number | undefined; readonly site?: number | undefined } | undefined
  readonly tolerate?: string | Texts | undefined
  readonly reschedule?: { readonly after?: Amount | undefined } | undefined
}

/** Exactly one is given. */
export interface StrategyDocument {
  readonly fill?: number | undefined
  readonly each?: number | undefined
}

export interface PreferenceDocument {
  readonly where?: string | undefined
  readonly weight?: number | undefined
}

export interface PeerDocument {
  readonly to?: string | undefined
  /** `true`, or a weight. */
  readonly soft?: boolean | number | undefined
  readonly over?: string | undefined
}

export interface SharesDocument {
  readonly over?: string | undefined
  /** `70%` */
  readonly shares?: Mapping<Amount> | undefined
}

/** `8080`, `53/udp`, or in full. */
export type PortDocument = number | string | PortObject

export interface PortObject {
  readonly name?: string | undefined
  readonly port?: number | undefined
  readonly protocol?: 'tcp' | 'udp' | undefined
  readonly hostPort?: number | undefined
}

export interface SecretDocument {
  readonly name?: string | undefined
  readonly file?: string | undefined
  readonly env?: string | undefined
}

export interface ConfigDocument {
  readonly content?: string | undefined
  readonly mode?: string | number | undefined
}

export interface BindDocument {
  readonly to?: string | undefined
  readonly as?: string | undefined
}

/** Exactly one of `name`, `host` and `tmpfs` is given. */
export interface VolumeDocument {
  readonly path?: string | undefined
  readonly name?: string | undefined
  readonly host?: string | undefined
  readonly tmpfs?: Amount | undefined
  readonly readOnly?: boolean | undefined
}

export interface UlimitDocument {
  readonly soft?: number | undefined
  readonly hard?: number | undefined
}

export interface HealthDocument {
  readonly readiness?: 'none' | 'report' | ProbeDocument | undefined
  readonly liveness?: ProbeDocument | undefined
}

/** Exactly one of `http`, `tcp` and `exec` is given. */
export interface ProbeDocument {
  readonly http?: string | HttpCheckDocument | undefined
  readonly tcp?: string | number | undefined
  readonly exec?: string | Texts | undefined
  readonly delay?: Amount | undefined
  readonly interval?: Amount | undefined
  readonly timeout?: Amount | undefined
  readonly successes?: number | undefined
  readonly failures?: number | undefined
}

export interface HttpCheckDocument {
  readonly path?: string | undefined
  readonly port?: string | number | undefined
  readonly host?: string | undefined
}

export interface HooksDocument {
  readonly afterStart?: string | Texts | HookDocument | undefined
  readonly beforeStop?: string | Texts | HookDocument | undefined
}

export interface HookDocument {
  readonly command?: string | Texts | undefined
  readonly timeout?: Amount | undefined
}

export interface RetriesDocument {
  readonly count?: number | undefined
  readonly on?: readonly number[] | undefined
}

export interface RouteDocument {
  /** The gateways' port, instead of a host; with `udp` the same. */
  readonly tcp?: number | undefined
  readonly udp?: number | undefined
  /** Of a port: blocks of addresses that clients may have. */
  readonly allow?: string | Texts | undefined
  readonly host?: string | undefined
  readonly path?: string | undefined
  readonly entrypoint?: string | undefined
  readonly port?: string | number | undefined
  readonly tls?: 'off' | 'on' | 'redirect' | undefined
  readonly stripPath?: boolean | undefined
  readonly timeout?: Amount | undefined
  readonly maxBody?: Amount | undefined
  readonly protocol?: 'http' | 'grpc' | undefined
  readonly connectTimeout?: Amount | undefined
  readonly sendTimeout?: Amount | undefined
  readonly retries?: number | RetriesDocument | undefined
  readonly limit?: Amount | RouteLimitDocument | undefined
  readonly sticky?: boolean | string | undefined
  readonly slowStart?: Amount | undefined
  readonly ejection?: 'off' | EjectionDocument | undefined
  readonly whenEmpty?: 'keep' | 'maintenance' | 'refuse' | undefined
  readonly sites?: SitesDocument | undefined
}

export interface SitesDocument {
  readonly prefer?: 'near' | 'any' | undefined
  /** `70%` */
  readonly spillBelow?: string | undefined
  readonly spillAt?: number | undefined
  readonly writes?: string | undefined
}

export interface RouteLimitDocument {
  /** `100/s`, `600/m` */
  readonly requests?: Amount | undefined
  readonly burst?: number | undefined
  readonly concurrent?: number | undefined
  readonly per?: 'client' | 'route' | undefined
}

export interface EjectionDocument {
  readonly failures?: number | undefined
  readonly rest?: Amount | undefined
}

export interface RolloutDocument {
  readonly surge?: Amount | undefined
  readonly unavailable?: Amount | undefined
  readonly settle?: Amount | undefined
  readonly before?: string | Texts | undefined
  readonly imageTimeout?: Amount | undefined
  readonly stages?: readonly (StageDocument | undefined)[] | undefined
  readonly approvals?: number | undefined
  readonly strategy?: 'rolling' | 'canary' | 'blue-green' | 'recreate' | undefined
  readonly keep?: Amount | undefined
}

export type EnvironmentRolloutDocument = Omit<RolloutDocument, 'before'>

export interface StageDocument {
  readonly name?: string | undefined
  readonly instances?: Amount | undefined
  readonly traffic?: Amount | GrowthDocument | undefined
  readonly beside?: boolean | undefined
  readonly sites?: Texts | undefined
  readonly entrypoints?: Texts | undefined
  readonly gates?: readonly (string | GateDocument | undefined)[] | undefined
  readonly before?: readonly (HookDocument | undefined)[] | undefined
  readonly after?: readonly (HookDocument | undefined)[] | undefined
}

export interface GrowthDocument {
  readonly from?: Amount | undefined
  readonly to?: Amount | undefined
  readonly over?: Amount | undefined
}

/** Either `job` or `url` is given. */
export interface HookDocument {
  readonly job?: string | undefined
  readonly url?: string | undefined
  readonly timeout?: Amount | undefined
  readonly onFailure?: 'hold' | 'rollback' | undefined
}

/** Exactly one kind is given. `person` in short. */
export interface GateDocument {
  readonly health?: Amount | undefined
  readonly person?: boolean | undefined
  readonly job?: string | undefined
  readonly errors?: Amount | undefined
  readonly p50?: Amount | undefined
  readonly p95?: Amount | undefined
  readonly p99?: Amount | undefined
  readonly lost?: number | undefined
  readonly query?: string | undefined
  readonly below?: Amount | undefined
  readonly above?: Amount | undefined
  readonly over?: Amount | undefined
  readonly requests?: number | undefined
  readonly onNoData?: 'hold' | 'rollback' | undefined
}

export interface EnvironmentDocument {
  readonly env?: Mapping<Scalar> | undefined
  readonly entrypoints?: Mapping<EntrypointOverrideDocument | null> | undefined
  readonly routes?: readonly (string | RouteDocument | undefined)[] | undefined
  readonly rollout?: EnvironmentRolloutDocument | undefined
}

export interface EntrypointOverrideDocument extends ResourcesDocument {
  readonly replicas?: number | undefined
  readonly env?: Mapping<Scalar> | undefined
  readonly placement?: PlacementDocument | undefined
  readonly priority?: number | undefined
  /** `off`: not by the clock in this environment. */
  readonly schedule?: string | ScheduleDocument | undefined
}
