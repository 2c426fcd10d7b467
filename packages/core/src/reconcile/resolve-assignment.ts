import type {
  AppSpec,
  Assignment,
  BoundService,
  BurstMode,
  EntrypointSpec,
  Instance,
  Release,
  SecretFile,
} from '../model/index.ts'
import { reachedPort } from '../network/network-mode.ts'
import { resolveEntrypoint } from '../spec/resolve-environment.ts'
import { askedSizes } from '../spec/sizes-of.ts'

export interface AssignmentInput {
  readonly instance: Instance
  readonly release: Release
  readonly environment: string
  /** Values of the secrets that the entrypoint refers to, by name. */
  readonly secrets: ReadonlyMap<string, string>
  /** Domain of names, `berth`. */
  readonly domain: string
  /** Spec of another app's current release in the same environment, for the ports of what is bound. */
  readonly specOf: (app: string) => AppSpec | undefined
  /** Whether another app has a pool of the instance's pool's name. */
  readonly hasPool?: (app: string) => boolean
}

/** Where an instance finds its socket, by its own file system. */
export const instanceSocketPath = '/run/berth/berth.sock'

/**
 * Everything a node needs to run one instance. undefined when the release has no such entrypoint or no node was given yet. Order of
 * the environment: entrypoint, environment, Berth's own variables; what the owner set is never overwritten.
 */
export function resolveAssignment(input: AssignmentInput): Assignment | undefined {
  const { instance, release } = input
  const spec = resolveEntrypoint(release.spec, input.environment, instance.entrypoint)
  if (spec === undefined || instance.node === undefined || instance.address === undefined) return undefined
  return {
    ...identity(input),
    address: instance.address,
    ...(instance.network === undefined ? {} : { network: instance.network }),
    ...(instance.networks === undefined ? {} : { networks: instance.networks }),
    hostname: `${instance.entrypoint}-${instance.ordinal}`,
    image: release.image,
    command: instance.command ?? spec.command,
    env: environmentOf(input, spec),
    secrets: secretFiles(input, spec),
    config: spec.config,
    cpuMilli: instance.cpuMilli ?? 0,
    memoryBytes: instance.memoryBytes ?? 0,
    ...(instance.cores === undefined ? {} : { cores: instance.cores, burst: burstOf(instance, spec) }),
    ...(spec.resources.diskBytes === undefined ? {} : { diskBytes: spec.resources.diskBytes }),
    ...bandwidthOf(instance, spec),
    ...container(spec),
    ports: instance.type === 'job' ? spec.ports.map(({ hostPort: _, ...port }) => port) : spec.ports,
    ...(instance.published === undefined ? {} : { published: instance.published }),
    ...(spec.socket === undefined ? {} : { socket: { services: boundServices(input, spec) } }),
    ...lifecycle(spec, instance),
  }
}

/** The instance's own, since its grant may change after its release was made. */
const burstOf = (instance: Instance, spec: EntrypointSpec): BurstMode =>
  instance.burst ?? spec.resources.burst ?? 'share'

function bandwidthOf(instance: Instance, spec: EntrypointSpec): Pick<Assignment, 'bandwidth'> {
  const { inBitsPerSecond, outBitsPerSecond } = askedSizes(instance, spec)
  const bandwidth = {
    ...(inBitsPerSecond === undefined ? {} : { inBitsPerSecond }),
    ...(outBitsPerSecond === undefined ? {} : { outBitsPerSecond }),
  }
  return Object.keys(bandwidth).length === 0 ? {} : { bandwidth }
}

function identity({ instance, release, environment }: AssignmentInput) {
  const { createdAt, app, pool, entrypoint, ordinal, type, desired, restartNonce } = instance
  return {
    instance: instance.id,
    ...{ createdAt, app, pool, environment, entrypoint, ordinal, type, desired, restartNonce },
    release: release.id,
    ...(release.commit === undefined ? {} : { commit: release.commit }),
  }
}

function container(spec: EntrypointSpec) {
  return {
    volumes: spec.volumes,
    sysctls: spec.sysctls,
    ulimits: spec.ulimits,
    ...(spec.user === undefined ? {} : { user: spec.user }),
    ...(spec.workingDirectory === undefined ? {} : { workingDirectory: spec.workingDirectory }),
    capabilities: spec.capabilities,
    ...(spec.profiles === undefined ? {} : { profiles: spec.profiles }),
    ...(spec.searchDomains === undefined ? {} : { searchDomains: spec.searchDomains }),
    init: spec.init,
    labels: spec.labels,
    logMaxBytes: spec.logs.maxBytes,
    logMaxFiles: spec.logs.maxFiles,
  }
}

function lifecycle(spec: EntrypointSpec, instance: Instance) {
  const job = instance.type === 'job'
  return {
    ...(spec.health.readiness === undefined || job ? {} : { readiness: spec.health.readiness }),
    ...(spec.health.liveness === undefined || job ? {} : { liveness: spec.health.liveness }),
    ...(spec.hooks.afterStart === undefined ? {} : { afterStart: spec.hooks.afterStart }),
    ...(spec.hooks.beforeStop === undefined ? {} : { beforeStop: spec.hooks.beforeStop }),
    restart: job && spec.type === 'service' ? ('never' as const) : spec.restart,
    stopSignal: spec.stop.signal,
    stopGraceMs: spec.stop.graceMs,
    readyTimeoutMs: spec.readyTimeoutMs,
    jobTimeoutMs: spec.jobTimeoutMs,
  }
}

function environmentOf(input: AssignmentInput, spec: EntrypointSpec): Record<string, string> {
  const { instance, release } = input
  const own: Record<string, string> = {
    BERTH_APP: instance.app,
    BERTH_POOL: instance.pool,
    BERTH_ENVIRONMENT: input.environment,
    BERTH_ENTRYPOINT: instance.entrypoint,
    BERTH_INSTANCE: instance.id,
    BERTH_RELEASE: release.id,
    BERTH_COMMIT: release.commit ?? '',
    BERTH_ADDRESS: instance.address ?? '',
    BERTH_CPU: String((instance.cpuMilli ?? 0) / 1000),
    BERTH_MEMORY: String(instance.memoryBytes ?? 0),
  }
  const port = spec.ports[0]?.port
  if (port !== undefined) own.PORT = String(port)
  if (spec.socket === true) own.BERTH_SOCKET = instanceSocketPath
  return { ...own, ...bindings(input, spec), ...spec.env }
}

/** `DB_HOST`, `DB_PORT`: names stay valid while instances come and go, so an address never has to be changed in a running one. */
function bindings(input: AssignmentInput, spec: EntrypointSpec): Record<string, string> {
  const variables: Record<string, string> = {}
  for (const { as, host, port } of boundServices(input, spec)) {
    variables[`${as}_HOST`] = host
    if (port !== undefined) variables[`${as}_PORT`] = String(port)
  }
  return variables
}

function boundServices(input: AssignmentInput, spec: EntrypointSpec): BoundService[] {
  return spec.bind.map(({ app, entrypoint, as }) => {
    const { pool, network } = input.instance
    // Who asks from another network than the cluster's is of no pool: the name has to say which is meant.
    const isExplicit = app === input.instance.app || (network !== undefined && input.hasPool?.(app) === true)
    const host = `${entrypoint}${isExplicit ? `.${pool}` : ''}.${app}.${input.domain}`
    const target = app === input.instance.app ? input.release.spec : input.specOf(app)
    const bound = target?.entrypoints[entrypoint]
    const port = bound?.ports[0] === undefined ? undefined : reachedPort(bound.network, bound.ports[0])
    return { as, app, entrypoint, ...(isExplicit ? { pool } : {}), host, ...(port === undefined ? {} : { port }) }
  })
}

function secretFiles(input: AssignmentInput, spec: EntrypointSpec): SecretFile[] {
  return spec.secrets.flatMap(({ name, file, env }) => {
    const value = input.secrets.get(name)
    if (value === undefined) return []
    return [env === undefined ? { file, value } : { file, value, env }]
  })
}
