import type {
  AppSpec,
  BuildSpec,
  EntrypointOverride,
  EntrypointSpec,
  EnvironmentSpec,
  PortSpec,
  ProbeSpec,
  ResourceSpec,
  RouteSpec,
  VolumeSpec,
} from '../model/app-spec.ts'
import type { ScheduleSpec } from '../model/placement-spec.ts'
import type { PortRouteSpec } from '../model/port-route-spec.ts'
import { bandwidthToDocument } from './canonical-bandwidth.ts'
import { specDefaults } from './defaults.ts'
import { isSystem, placementOf } from './placement-of.ts'
import { placementToDocument } from './placement-to-document.ts'
import { formatBytes, formatCpu, formatDuration } from './quantities.ts'
import { rolloutToDocument } from './rollout-to-document.ts'
import { optionsToDocument, sitesToDocument } from './route-options.ts'
import type {
  BuildDocument,
  EntrypointDocument,
  EntrypointOverrideDocument,
  EnvironmentDocument,
  HealthDocument,
  PlacementDocument,
  PortObject,
  ProbeDocument,
  ResourcesDocument,
  RouteDocument,
  ScheduleDocument,
  SpecDocument,
  VolumeDocument,
} from './spec-document.ts'

/**
 * A spec as a user would write it, with every default said. `canonicalize` gives the same spec back, and `diffSpecs` compares in these
 * terms, so that people read `cpu: 1.3 → 2` rather than thousandths.
 */
export function specToDocument(spec: AppSpec): SpecDocument {
  return {
    app: spec.app,
    ...buildToDocument(spec.build),
    entrypoints: mapValues(spec.entrypoints, entrypointToDocument),
    routes: routesToDocument(spec.routes, spec.portRoutes),
    rollout: {
      ...rolloutToDocument({ imageTimeoutMs: specDefaults.rollout.imageTimeoutMs, ...spec.rollout }),
      before: spec.rollout.before,
    },
    ...(spec.test === undefined ? {} : { test: spec.test }),
    environments: mapValues(spec.environments, environmentToDocument),
  }
}

const mapValues = <A, B>(record: Readonly<Record<string, A>>, map: (value: A) => B): Record<string, B> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]))

function buildToDocument(build: BuildSpec): { image: string } | { build: BuildDocument } {
  if (build.type === 'image') return { image: build.image }
  const { cpuMilli, memoryBytes, timeoutMs, network, proxy } = build.limits
  const limits = {
    cpu: formatCpu(cpuMilli),
    memory: formatBytes(memoryBytes),
    timeout: formatDuration(timeoutMs),
    network,
    ...(proxy === undefined ? {} : { proxy }),
  }
  if (build.type === 'dockerfile') {
    const target = build.target === undefined ? {} : { target: build.target }
    return { build: { dockerfile: build.dockerfile, ...target, args: build.args, limits } }
  }
  const { base, runtimes, run, dependencyFiles, dependencyRun, args } = build
  const dependencies = { files: dependencyFiles, run: dependencyRun }
  return { build: { base, runtimes, dependencies, run, args, limits } }
}

function entrypointToDocument(spec: EntrypointSpec): EntrypointDocument {
  const shared = {
    type: spec.type,
    command: spec.command,
    ...resourcesToDocument(spec.resources),
    ports: Object.fromEntries(spec.ports.map((port) => [port.name, portToDocument(port)])),
    env: spec.env,
    secrets: spec.secrets,
    config: mapValues(Object.fromEntries(spec.config.map((file) => [file.path, file])), ({ content, mode }) => ({
      content,
      mode: mode.toString(8).padStart(4, '0'),
    })),
    bind: spec.bind.map(({ app, entrypoint, as }) => ({ to: `${app}/${entrypoint}`, as })),
    volumes: spec.volumes.map(volumeToDocument),
    sysctls: spec.sysctls,
    ulimits: Object.fromEntries(spec.ulimits.map(({ name, soft, hard }) => [name, { soft, hard }])),
    ...(spec.user === undefined ? {} : { user: spec.user }),
    ...(spec.workingDirectory === undefined ? {} : { workingDirectory: spec.workingDirectory }),
    capabilities: spec.capabilities,
    ...(spec.profiles === undefined ? {} : { profiles: spec.profiles }),
    ...(spec.searchDomains === undefined ? {} : searchDomainsToDocument(spec.searchDomains)),
    ...(spec.network === undefined ? {} : { network: spec.network }),
    ...(spec.address === undefined ? {} : { address: spec.address }),
    ...(spec.networks === undefined ? {} : { networks: spec.networks }),
    init: spec.init,
    ...(spec.socket === undefined ? {} : { socket: true }),
    hooks: mapValues(
      spec.hooks as Readonly<Record<string, { command: readonly string[]; timeoutMs: number }>>,
      (hook) => ({
        command: hook.command,
        timeout: formatDuration(hook.timeoutMs),
      }),
    ),
    restart: spec.restart,
    stop: { signal: spec.stop.signal, grace: formatDuration(spec.stop.graceMs) },
    labels: spec.labels,
    logs: { maxSize: formatBytes(spec.logs.maxBytes), maxFiles: spec.logs.maxFiles },
    placement: withoutReschedule(spec, placementToDocument(placementOf(spec))),
    priority: spec.priority ?? specDefaults.priority,
    preempt: spec.preempt ?? false,
    preemptible: spec.preemptible ?? false,
    gang: spec.gang ?? false,
  }
  if (spec.type === 'job') return { ...shared, timeout: formatDuration(spec.jobTimeoutMs), ...scheduleToDocument(spec) }
  return {
    ...shared,
    ...(isSystem(spec) ? {} : { replicas: spec.replicas }),
    health: healthToDocument(spec.health),
    drain: formatDuration(spec.drainMs),
    readyTimeout: formatDuration(spec.readyTimeoutMs),
  }
}

/** A job is not begun again elsewhere, and so has no word on it. */
function withoutReschedule({ type }: EntrypointSpec, { reschedule, ...rest }: PlacementDocument): PlacementDocument {
  return type === 'job' || reschedule === undefined ? rest : { ...rest, reschedule }
}

const scheduleToDocument = ({ schedule }: EntrypointSpec): { schedule?: ScheduleDocument } =>
  schedule === undefined ? {} : { schedule: schedulePartsToDocument(schedule) }

const schedulePartsToDocument = ({ graceMs, ...rest }: ScheduleSpec): ScheduleDocument => ({
  ...rest,
  grace: formatDuration(graceMs),
})

function resourcesToDocument(resources: ResourceSpec): ResourcesDocument {
  const { cpuMilli, memoryBytes, diskBytes, burst, extra } = resources
  const bandwidth = bandwidthToDocument(resources)
  return {
    ...(cpuMilli === undefined ? {} : { cpu: formatCpu(cpuMilli) }),
    ...(memoryBytes === undefined ? {} : { memory: formatBytes(memoryBytes) }),
    ...(diskBytes === undefined ? {} : { disk: formatBytes(diskBytes) }),
    ...(burst === undefined ? {} : { burst }),
    ...(bandwidth === undefined ? {} : { bandwidth }),
    ...(extra === undefined ? {} : { resources: extra }),
  }
}

const portToDocument = ({ port, protocol, hostPort }: PortSpec): PortObject => ({
  port,
  protocol,
  ...(hostPort === undefined ? {} : { hostPort }),
})

function volumeToDocument(volume: VolumeSpec): VolumeDocument {
  switch (volume.type) {
    case 'named':
      return { name: volume.name, path: volume.path, readOnly: volume.readOnly }
    case 'host':
      return { host: volume.source, path: volume.path, readOnly: volume.readOnly }
    case 'tmpfs':
      return { tmpfs: formatBytes(volume.sizeBytes), path: volume.path }
  }
}

function healthToDocument({ readiness, liveness }: EntrypointSpec['health']): HealthDocument {
  return {
    readiness: readiness === undefined ? 'none' : readinessToDocument(readiness),
    ...(liveness === undefined ? {} : { liveness: probeToDocument(liveness) }),
  }
}

const readinessToDocument = (readiness: ProbeSpec): NonNullable<HealthDocument['readiness']> =>
  readiness.check.type === 'report' ? 'report' : probeToDocument(readiness)

function probeToDocument({ check, ...timing }: ProbeSpec): ProbeDocument {
  return {
    ...checkToDocument(check),
    delay: formatDuration(timing.delayMs),
    interval: formatDuration(timing.intervalMs),
    timeout: formatDuration(timing.timeoutMs),
    successes: timing.successes,
    failures: timing.failures,
  }
}

function checkToDocument(check: ProbeSpec['check']): ProbeDocument {
  switch (check.type) {
    case 'http': {
      const host = check.host === undefined ? {} : { host: check.host }
      return { http: { path: check.path, port: check.port, ...host } }
    }
    case 'tcp':
      return { tcp: check.port }
    case 'exec':
      return { exec: check.command }
    case 'report':
      // A word alone, and of readiness only.
      return {}
  }
}

const routesToDocument = (routes: readonly RouteSpec[], portRoutes: readonly PortRouteSpec[] = []): RouteDocument[] => [
  ...routes.map(routeToDocument),
  ...portRoutes.map(portRouteToDocument),
]

const portRouteToDocument = (route: PortRouteSpec): RouteDocument => {
  const { protocol, listen, entrypoint, port, allow, stickyMs, whenEmpty, sites } = route
  return {
    ...{ [protocol]: listen, entrypoint, port },
    ...(allow === undefined ? {} : { allow }),
    ...(stickyMs === undefined ? {} : { sticky: formatDuration(stickyMs) }),
    ...(whenEmpty === undefined ? {} : { whenEmpty }),
    ...(sites === undefined ? {} : { sites: sitesToDocument(sites) }),
  }
}

const routeToDocument = (route: RouteSpec): RouteDocument => ({
  host: route.host,
  path: route.path,
  entrypoint: route.entrypoint,
  port: route.port,
  tls: route.tls,
  stripPath: route.stripPath,
  timeout: formatDuration(route.timeoutMs),
  maxBody: route.maxBodyBytes === 0 ? 0 : formatBytes(route.maxBodyBytes),
  ...(route.options === undefined ? {} : optionsToDocument(route.options)),
})

function environmentToDocument({
  env,
  entrypoints,
  routes,
  portRoutes,
  rollout,
}: EnvironmentSpec): EnvironmentDocument {
  return {
    env,
    entrypoints: mapValues(entrypoints, overrideToDocument),
    ...(routes === undefined ? {} : { routes: routesToDocument(routes, portRoutes) }),
    ...(rollout === undefined ? {} : { rollout: rolloutToDocument(rollout) }),
  }
}

function overrideToDocument(override: EntrypointOverride): EntrypointOverrideDocument {
  const { replicas, resources, env, placement, priority, schedule } = override
  return {
    ...(replicas === undefined ? {} : { replicas }),
    ...(resources === undefined ? {} : resourcesToDocument(resources)),
    ...(env === undefined ? {} : { env }),
    ...(placement === undefined ? {} : { placement: placementToDocument(placement) }),
    ...(priority === undefined ? {} : { priority }),
    ...(schedule === undefined ? {} : { schedule: schedule === 'off' ? schedule : schedulePartsToDocument(schedule) }),
  }
}

/** An empty list would be left out as if nothing had been said. */
const searchDomainsToDocument = (domains: readonly string[]): Pick<EntrypointDocument, 'searchDomains'> => ({
  searchDomains: domains.length === 0 ? 'none' : domains,
})
