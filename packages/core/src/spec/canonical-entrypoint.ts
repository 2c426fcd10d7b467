import type { EntrypointSpec, EntrypointType } from '../model/app-spec.ts'
import { isEntrypointName, isName, nameRule, proposeEntrypointName } from '../model/names.ts'
import { canonicalAddress } from './canonical-address.ts'
import { refuseBeyondLimit } from './canonical-bandwidth.ts'
import { canonicalBind, type Siblings } from './canonical-bind.ts'
import { canonicalContainer, canonicalResources } from './canonical-container.ts'
import { canonicalHealth, canonicalHooks } from './canonical-health.ts'
import { canonicalMounts } from './canonical-mounts.ts'
import { canonicalNetwork, canonicalNetworks, portsInNetwork, refuseInNetwork } from './canonical-network.ts'
import { canonicalPlacementParts } from './canonical-placement.ts'
import { canonicalPorts } from './canonical-ports.ts'
import { canonicalProfiles } from './canonical-profiles.ts'
import { canonicalSchedule } from './canonical-schedule.ts'
import { canonicalSearchDomains } from './canonical-search-domains.ts'
import { closest } from './closest.ts'
import { specDefaults } from './defaults.ts'
import { refuseContradictions } from './placement-conflicts.ts'
import { defaultPlacement } from './placement-of.ts'
import { readCommand, readCount, readDuration, readVariables } from './read-values.ts'
import type { EntrypointDocument } from './spec-document.ts'
import type { IssueList, SpecPath } from './spec-issue.ts'

export function canonicalEntrypoint(
  issues: IssueList,
  name: string,
  document: EntrypointDocument,
  siblings: Siblings,
): EntrypointSpec {
  const path = ['entrypoints', name]
  checkEntrypointName(issues, path, name)
  const type = document.type ?? specDefaults.type
  refuseForeignKeys(issues, path, document, type)
  const network = canonicalNetwork(issues, [...path, 'network'], document.network)
  const address = canonicalAddress(issues, path, document, type)
  const networks = canonicalNetworks(issues, [...path, 'networks'], document.networks, network)
  const declared = canonicalPorts(issues, [...path, 'ports'], document.ports)
  const ports = portsInNetwork(issues, [...path, 'ports'], declared, network)
  const variables = readVariables(issues, [...path, 'env'], document.env)
  refuseSecretTwins(issues, path, document, variables)
  const mounts = canonicalMounts(issues, path, document)
  const resources = canonicalResources(issues, path, document)
  refuseBeyondLimit(issues, [...path, 'bandwidth'], resources)
  const container = canonicalContainer(issues, path, document)
  const profiles =
    document.profiles === undefined
      ? siblings.profiles
      : canonicalProfiles(issues, [...path, 'profiles'], document.profiles)
  const searchDomains =
    canonicalSearchDomains(issues, [...path, 'searchDomains'], document.searchDomains) ?? siblings.searchDomains
  if (network !== undefined)
    refuseInNetwork(issues, path, network, { ...container, ports, bandwidth: document.bandwidth, profiles })
  return {
    type,
    command: readCommand(issues, [...path, 'command'], document.command),
    replicas: type === 'job' ? 0 : readCount(issues, [...path, 'replicas'], document.replicas, specDefaults.replicas),
    resources,
    ports,
    env: variables,
    ...mounts,
    bind: canonicalBind(issues, [...path, 'bind'], document.bind, siblings),
    ...container,
    ...(profiles === undefined ? {} : { profiles }),
    ...(searchDomains === undefined ? {} : { searchDomains }),
    ...(network === undefined ? {} : { network }),
    ...(address === undefined ? {} : { address }),
    ...(networks === undefined ? {} : { networks }),
    ...canonicalSocket(issues, [...path, 'socket'], document),
    health: canonicalHealth(issues, [...path, 'health'], document.health, { name, type, ports }),
    hooks: canonicalHooks(issues, [...path, 'hooks'], document.hooks),
    ...canonicalLifecycle(issues, path, document, type),
    ...canonicalScheduling(issues, name, document, { type, volumes: mounts.volumes, siblings }),
  }
}

/** Where readiness is reported there is one, since that is where. */
function canonicalSocket(
  issues: IssueList,
  path: SpecPath,
  document: EntrypointDocument,
): Pick<EntrypointSpec, 'socket'> {
  const reports = document.health?.readiness === 'report'
  if (reports && document.socket === false)
    issues.add(path, 'there is no socket at which the program could report that it is ready', {
      suggestion: 'leave `socket` out: `readiness: report` gives it one',
    })
  return reports || document.socket === true ? { socket: true } : {}
}

type Scheduling = Pick<EntrypointSpec, 'schedule' | 'placement' | 'priority' | 'preempt' | 'preemptible' | 'gang'>

interface SchedulingContext extends Pick<EntrypointSpec, 'type' | 'volumes'> {
  readonly siblings: Siblings
}

/** When and where it runs, and whom it gives way to. */
function canonicalScheduling(
  issues: IssueList,
  name: string,
  document: EntrypointDocument,
  context: SchedulingContext,
): Scheduling {
  const path = ['entrypoints', name]
  const schedule = canonicalSchedule(issues, [...path, 'schedule'], document.schedule)
  const at = [...path, 'placement']
  const parts = canonicalPlacementParts(issues, at, document.placement ?? {}, context)
  const placement = { ...defaultPlacement(context), ...parts }
  if (document.placement !== undefined)
    refuseContradictions(issues, at, placement, { app: context.siblings.app, entrypoint: name })
  if (placement.strategy.type === 'each') refuseReplicas(issues, path, document.replicas)
  return {
    ...(schedule === undefined ? {} : { schedule }),
    placement,
    priority: readPriority(issues, path, document.priority, specDefaults.priority),
    preempt: document.preempt ?? false,
    preemptible: document.preemptible ?? false,
    gang: document.gang ?? false,
  }
}

export const readPriority = <T>(
  issues: IssueList,
  path: SpecPath,
  value: number | undefined,
  fallback: T,
): number | T => readCount(issues, [...path, 'priority'], value, fallback, { min: -1000, max: 1000 })

/** Of a service that runs on every node. */
export function refuseReplicas(issues: IssueList, path: SpecPath, replicas: number | undefined): void {
  if (replicas === undefined) return
  issues.add(
    [...path, 'replicas'],
    'with `strategy: each` as many run as there are nodes that match: `replicas` has no meaning',
    {
      atKey: true,
      suggestion: 'leave it out, or write `strategy: {each: 2}` for two on every node',
      dependsOn: [[...path, 'placement', 'strategy']],
    },
  )
}

function checkEntrypointName(issues: IssueList, path: SpecPath, name: string): void {
  if (isEntrypointName(name)) return
  const proposal = proposeEntrypointName(name)
  const suggestion = proposal === undefined ? {} : { suggestion: `write ${proposal}` }
  const message = isName(name)
    ? `"${name}" reads like an instance: an entrypoint’s name cannot end in a dash and a number`
    : `${JSON.stringify(name)} cannot name an entrypoint: use ${nameRule}`
  issues.add(path, message, { ...suggestion, atKey: true })
}

/** Keys that mean something for one type only; kept silent they would raise hopes. */
const foreignKeys: Readonly<Record<EntrypointType, readonly (keyof EntrypointDocument)[]>> = {
  service: ['timeout', 'schedule'],
  job: ['replicas', 'drain', 'readyTimeout'],
}

function refuseForeignKeys(
  issues: IssueList,
  path: SpecPath,
  document: EntrypointDocument,
  type: EntrypointType,
): void {
  const dependsOn = [[...path, 'type']]
  for (const key of foreignKeys[type]) {
    if (document[key] === undefined) continue
    const message = type === 'job' ? `a job has no \`${key}\`` : `only a job has a \`${key}\``
    issues.add([...path, key], message, { atKey: true, dependsOn, suggestion: 'leave it out' })
  }
  if (type === 'job' && document.restart === 'always')
    issues.add([...path, 'restart'], 'a job runs to its end: it cannot be restarted always', {
      suggestion: 'write on-failure or never',
      dependsOn,
    })
}

function refuseSecretTwins(
  issues: IssueList,
  path: SpecPath,
  document: EntrypointDocument,
  variables: Readonly<Record<string, string>>,
): void {
  for (const [index, secret] of (document.secrets ?? []).entries()) {
    if (typeof secret !== 'object' || secret.env === undefined || !Object.hasOwn(variables, secret.env)) continue
    issues.add([...path, 'secrets', index, 'env'], `the variable ${secret.env} is given under \`env\` as well`)
  }
}

type Lifecycle = Pick<EntrypointSpec, 'restart' | 'stop' | 'drainMs' | 'readyTimeoutMs' | 'jobTimeoutMs'>

const dayMs = 86_400_000

function canonicalLifecycle(
  issues: IssueList,
  path: SpecPath,
  document: EntrypointDocument,
  type: EntrypointType,
): Lifecycle {
  const { stopGraceMs, drainMs, readyTimeoutMs, jobTimeoutMs } = specDefaults
  const day = { max: dayMs }
  return {
    restart: document.restart ?? specDefaults.restart[type],
    stop: {
      signal: readSignal(issues, [...path, 'stop', 'signal'], document.stop?.signal),
      graceMs: readDuration(issues, [...path, 'stop', 'grace'], document.stop?.grace, stopGraceMs, day),
    },
    drainMs: readDuration(issues, [...path, 'drain'], document.drain, drainMs, day),
    readyTimeoutMs: readDuration(issues, [...path, 'readyTimeout'], document.readyTimeout, readyTimeoutMs, {
      min: 1000,
      max: dayMs,
    }),
    jobTimeoutMs: readDuration(issues, [...path, 'timeout'], document.timeout, jobTimeoutMs),
  }
}

const signals = 'SIGTERM SIGINT SIGQUIT SIGHUP SIGUSR1 SIGUSR2 SIGWINCH SIGKILL SIGABRT SIGALRM SIGCONT SIGPIPE'.split(
  ' ',
)

/** `SIGQUIT`, `QUIT` */
function readSignal(issues: IssueList, path: SpecPath, written: string | undefined): string {
  if (written === undefined) return specDefaults.stopSignal
  const signal = `SIG${written.toUpperCase().replace(/^SIG/, '')}`
  if (signals.includes(signal) || /^SIGRTM(IN\+|AX-)[0-9]{1,2}$/.test(signal)) return signal
  const near = closest(signal, signals)
  const suggestion = near === undefined ? `one of ${signals.join(', ')}` : `did you mean ${near}?`
  issues.add(path, `there is no signal called ${JSON.stringify(written)}`, { suggestion })
  return specDefaults.stopSignal
}
