import type { EntrypointSpec, EntrypointType, HookSpec, PortSpec, ProbeCheck, ProbeSpec } from '../model/app-spec.ts'
import { findPort } from './canonical-ports.ts'
import { specDefaults } from './defaults.ts'
import { readCommand, readCount, readDuration, requireKey } from './read-values.ts'
import type { EntrypointDocument, HookDocument, HttpCheckDocument, ProbeDocument, Texts } from './spec-document.ts'
import type { IssueList, SpecPath } from './spec-issue.ts'

export interface ProbedEntrypoint {
  readonly name: string
  readonly type: EntrypointType
  readonly ports: readonly PortSpec[]
}

/**
 * A service that says nothing of its readiness but declares a tcp port is ready when that port accepts connections, so that a rolling
 * update has something to wait for. `readiness: none` turns that off.
 */
export function canonicalHealth(
  issues: IssueList,
  path: SpecPath,
  document: EntrypointDocument['health'],
  entrypoint: ProbedEntrypoint,
): EntrypointSpec['health'] {
  if (entrypoint.type === 'job') {
    if (document !== undefined)
      issues.add(path, 'a job has no health: it is judged by its exit code', {
        atKey: true,
        suggestion: 'leave it out',
      })
    return {}
  }
  const readiness =
    document?.readiness === undefined
      ? defaultReadiness(entrypoint.ports)
      : document.readiness === 'none'
        ? undefined
        : document.readiness === 'report'
          ? { check: { type: 'report' as const }, ...specDefaults.probe }
          : canonicalProbe(issues, [...path, 'readiness'], document.readiness, entrypoint)
  const liveness =
    document?.liveness === undefined
      ? undefined
      : canonicalProbe(issues, [...path, 'liveness'], document.liveness, entrypoint)
  return { ...(readiness === undefined ? {} : { readiness }), ...(liveness === undefined ? {} : { liveness }) }
}

function defaultReadiness(ports: readonly PortSpec[]): ProbeSpec | undefined {
  const port = ports.find(({ protocol }) => protocol === 'tcp')
  return port === undefined ? undefined : { check: { type: 'tcp', port: port.port }, ...specDefaults.probe }
}

function canonicalProbe(
  issues: IssueList,
  path: SpecPath,
  document: ProbeDocument,
  entrypoint: ProbedEntrypoint,
): ProbeSpec | undefined {
  const { delayMs, intervalMs, timeoutMs, successes, failures } = specDefaults.probe
  const timing = {
    delayMs: readDuration(issues, [...path, 'delay'], document.delay, delayMs),
    intervalMs: readDuration(issues, [...path, 'interval'], document.interval, intervalMs, { min: 100 }),
    timeoutMs: readDuration(issues, [...path, 'timeout'], document.timeout, timeoutMs, { min: 1 }),
    successes: readCount(issues, [...path, 'successes'], document.successes, successes, { min: 1, max: 100 }),
    failures: readCount(issues, [...path, 'failures'], document.failures, failures, { min: 1, max: 1000 }),
  }
  const check = readCheck(issues, path, document, entrypoint)
  return check === undefined ? undefined : { check, ...timing }
}

const checkKeys = ['http', 'tcp', 'exec'] as const

function readCheck(
  issues: IssueList,
  path: SpecPath,
  document: ProbeDocument,
  entrypoint: ProbedEntrypoint,
): ProbeCheck | undefined {
  const [first, second] = checkKeys.filter((key) => document[key] !== undefined)
  if (first === undefined) {
    const dependsOn = checkKeys.map((key) => [...path, key])
    issues.add(path, 'the probe checks nothing', {
      suggestion: 'give it one of `http: /path`, `tcp: 8080` and `exec: command`',
      dependsOn,
      atKey: true,
    })
    return undefined
  }
  if (second !== undefined) {
    issues.add([...path, second], `the probe has \`${first}\` already: it makes one kind of check`, { atKey: true })
    return undefined
  }
  if (document.http !== undefined) return readHttpCheck(issues, [...path, 'http'], document.http, entrypoint)
  if (document.tcp !== undefined) return readTcpCheck(issues, [...path, 'tcp'], document.tcp, entrypoint)
  const command = readCommand(issues, [...path, 'exec'], document.exec)
  if (command.length === 0) issues.add([...path, 'exec'], 'the command is empty', { dependsOn: [[...path, 'exec']] })
  return { type: 'exec', command }
}

function readHttpCheck(
  issues: IssueList,
  path: SpecPath,
  document: string | HttpCheckDocument,
  entrypoint: ProbedEntrypoint,
): ProbeCheck | undefined {
  const { path: url, port: wanted, host } = typeof document === 'string' ? { path: document } : document
  const at = (key: string): SpecPath => (typeof document === 'string' ? path : [...path, key])
  if (!requireKey(issues, path, 'path', url)) return undefined
  if (!/^\/[^\s\0]*$/.test(url)) {
    issues.add(at('path'), `${JSON.stringify(url)} is no path of a request`, {
      suggestion: 'write one such as /healthz',
    })
  }
  if (host !== undefined && !/^[A-Za-z0-9._:[\]-]{1,253}$/.test(host))
    issues.add(at('host'), `${JSON.stringify(host)} is no value of a Host header`)
  const port = probedPort(issues, at('port'), wanted, entrypoint)
  if (port === undefined) return undefined
  return { type: 'http', port, path: url, ...(host === undefined ? {} : { host }) }
}

function readTcpCheck(
  issues: IssueList,
  path: SpecPath,
  wanted: string | number,
  entrypoint: ProbedEntrypoint,
): ProbeCheck | undefined {
  const port = probedPort(issues, path, wanted, entrypoint)
  return port === undefined ? undefined : { type: 'tcp', port }
}

function probedPort(
  issues: IssueList,
  path: SpecPath,
  wanted: string | number | undefined,
  { name, ports }: ProbedEntrypoint,
): number | undefined {
  const found = findPort(ports, wanted, name)
  if (found.ok) return found.value.port
  const suggestion = found.suggestion === undefined ? {} : { suggestion: found.suggestion }
  issues.add(path, found.message, { ...suggestion, dependsOn: [['entrypoints', name, 'ports']] })
  return undefined
}

export function canonicalHooks(
  issues: IssueList,
  path: SpecPath,
  document: EntrypointDocument['hooks'],
): EntrypointSpec['hooks'] {
  const afterStart = canonicalHook(issues, [...path, 'afterStart'], document?.afterStart)
  const beforeStop = canonicalHook(issues, [...path, 'beforeStop'], document?.beforeStop)
  return { ...(afterStart === undefined ? {} : { afterStart }), ...(beforeStop === undefined ? {} : { beforeStop }) }
}

function canonicalHook(
  issues: IssueList,
  path: SpecPath,
  document: string | Texts | HookDocument | undefined,
): HookSpec | undefined {
  if (document === undefined) return undefined
  const short = typeof document === 'string' || Array.isArray(document)
  const hook = (short ? { command: document } : document) as HookDocument
  const at = short ? path : [...path, 'command']
  const timeoutMs = readDuration(issues, [...path, 'timeout'], hook.timeout, specDefaults.hookTimeoutMs, { min: 1 })
  if (!requireKey(issues, path, 'command', hook.command)) return undefined
  const command = readCommand(issues, at, hook.command)
  if (command.length === 0) issues.add(at, 'the command is empty', { dependsOn: [at] })
  return { command, timeoutMs }
}
