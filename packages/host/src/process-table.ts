import { readFileSync } from 'node:fs'
import type { HostConfig } from './host-config.ts'
import type { HostPaths } from './host-paths.ts'
import { findProgram } from './requirements.ts'
import type { SupervisedProcess } from './supervisor.ts'

/**
 * What runs on this machine, in the order of its start: netd answers Docker's containers, so it is there before dockerd; the agent
 * needs both. nginx is nobody's child: the agent starts it and adopts it by its pid file.
 */
export function processTable(
  config: HostConfig,
  paths: HostPaths,
  program: readonly string[],
  daemonFile = '/etc/docker/daemon.json',
): SupervisedProcess[] {
  const role = (name: string, stopGraceMs: number): SupervisedProcess => ({
    name,
    argv: [...program, name, '--state-dir', paths.stateDir, '--run-dir', paths.runDir],
    stopGraceMs,
  })
  const docker = config.superviseDocker ? [dockerd(config.dockerSocket, daemonFile)] : []
  if (config.leaving === true) return docker
  return [
    role('netd', 3000),
    ...docker,
    ...(config.server === undefined ? [] : [role('server', 15_000)]),
    role('agent', 10_000),
  ]
}

/** live-restore: a killed dockerd must leave every container running. dockerd refuses an option that its file has, too. */
function dockerd(socket: string, daemonFile: string): SupervisedProcess {
  const program = findProgram('dockerd') ?? 'dockerd'
  const configured = configuredKeys(daemonFile)
  const argv = [program]
  if (!configured.has('hosts')) argv.push('-H', `unix://${socket}`)
  if (!configured.has('live-restore')) argv.push('--live-restore')
  return { name: 'dockerd', argv, stopGraceMs: 20_000 }
}

function configuredKeys(daemonFile: string): ReadonlySet<string> {
  try {
    return new Set(Object.keys(JSON.parse(readFileSync(daemonFile, 'utf8'))))
  } catch {
    // No file, or one that dockerd itself will complain of.
    return new Set()
  }
}
