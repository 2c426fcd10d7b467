import { closest, type SpecPath } from '@berth/core'

/** What people call things elsewhere (Compose, Kubernetes, Nomad), and where Berth keeps them. */
const elsewhere: Readonly<Record<string, string>> = {
  name: 'app',
  service: 'entrypoints',
  services: 'entrypoints',
  processes: 'entrypoints',
  jobs: 'entrypoints',
  servers: 'entrypoints',
  cmd: 'command',
  args: 'command',
  entrypoint: 'command',
  run: 'command',
  environment: 'env',
  env_file: 'env',
  variables: 'env',
  instances: 'replicas',
  scale: 'replicas',
  count: 'replicas',
  cpus: 'cpu',
  mbits: 'bandwidth',
  mem: 'memory',
  mem_limit: 'memory',
  port: 'ports',
  expose: 'ports',
  healthcheck: 'health.readiness',
  readiness: 'health.readiness',
  liveness: 'health.liveness',
  readinessProbe: 'health.readiness',
  livenessProbe: 'health.liveness',
  probes: 'health',
  check: 'health.readiness',
  http: 'readiness.http',
  tcp: 'readiness.tcp',
  exec: 'readiness.exec',
  httpGet: 'http',
  tcpSocket: 'tcp',
  start_period: 'delay',
  initialDelaySeconds: 'delay',
  periodSeconds: 'interval',
  retries: 'failures',
  cap_add: 'capabilities',
  working_dir: 'workingDirectory',
  workdir: 'workingDirectory',
  cwd: 'workingDirectory',
  stop_grace_period: 'stop.grace',
  stop_signal: 'stop.signal',
  depends_on: 'bind',
  links: 'bind',
  files: 'config',
  configs: 'config',
  mounts: 'volumes',
  tmpfs: 'volumes',
  logging: 'logs',
  restart_policy: 'restart',
  hostname: 'host',
  domain: 'host',
  domains: 'routes',
  ingress: 'routes',
  update_config: 'rollout',
  maxSurge: 'surge',
  maxUnavailable: 'unavailable',
  constraints: 'placement.where',
  constraint: 'placement.where',
  nodeSelector: 'placement.where',
  affinity: 'placement.prefer',
  antiAffinity: 'placement.apart',
  tolerations: 'placement.tolerate',
  topologySpreadConstraints: 'placement.spread',
  cron: 'schedule',
  periodic: 'schedule',
  cronjob: 'schedule',
  timezone: 'zone',
  timeZone: 'zone',
  concurrencyPolicy: 'overlap',
  startingDeadlineSeconds: 'grace',
  priorityClassName: 'priority',
  from: 'base',
  context: 'dockerfile',
}

/** Keys of an entrypoint that beginners write at the top. */
const ofEntrypoints = new Set(
  'command type replicas cpu memory disk ports env secrets config bind volumes health hooks restart stop drain placement schedule priority burst'.split(
    ' ',
  ),
)

/** Of a key that an object does not know. */
export function hintForKey(key: string, known: readonly string[]): string | undefined {
  const near = closest(key, known)
  if (near !== undefined && near.length > 2) return `did you mean "${near}"?`
  if (['limits', 'requests', 'deploy'].includes(key) && known.includes('cpu'))
    return 'write `cpu`, `memory` and `disk` here, without a map around them'
  const place = Object.hasOwn(elsewhere, key) ? elsewhere[key] : undefined
  if (place !== undefined && known.includes(place.split('.')[0]!)) return `it is called \`${place}\` here`
  const target = place?.split('.')[0] ?? key
  if (known.includes('entrypoints') && known.includes('build') && ofEntrypoints.has(target))
    return `it belongs to an entrypoint: entrypoints.NAME.${place ?? key}`
  return known.length === 0 ? undefined : `known here: ${known.join(', ')}`
}

/** Of a value that is no choice: what is called otherwise here. */
export function hintForChoice(path: SpecPath, value: unknown): string | undefined {
  if (path.at(-1) !== 'type' || typeof value !== 'string') return undefined
  if (/^(system|daemon|daemonset|global)$/i.test(value))
    return 'a service that runs on every node has `placement: {strategy: each}`'
  if (/^(cron|cronjob|periodic|batch|sysbatch)$/i.test(value))
    return 'it is a job, with a `schedule` if it runs by the clock'
  return undefined
}
