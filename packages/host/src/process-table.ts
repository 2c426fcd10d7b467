import { existsSync } from 'node:fs'
import type { HostConfig } from './host-config.ts'
import type { HostPaths } from './host-paths.ts'
import { findProgram } from './requirements.ts'
import type { SupervisedProcess } from './supervisor.ts'

/**
 * What runs on this machine, in the order of its start: netd answers Docker's containers, so it is there before dockerd; the agent
 * needs both. nginx is nobody's child: the agent starts it and adopts it by its pid file.
 */
export function processTable(config: HostConfig, paths: HostPaths, program: readonly string[]): SupervisedProcess[] {
  const role = (name: string, stopGraceMs: number): SupervisedProcess => ({
    name,
    argv: [...program, name, '--state-dir', paths.stateDir, '--run-dir', paths.runDir],
    stopGraceMs,
  })
  const docker = config.superviseDocker ? [dockerd(config.dockerSocket)] : []
  if (config.leaving === true) return docker
  return [
    role('netd', 3000),
    ...docker,
    ...(config.server === undefined ? [] : [role('server', 15_000)]),
    role('agent', 10_000),
  ]
}

/** live-restore: a killed dockerd must leave every container running. */
function dockerd(socket: string): SupervisedProcess {
  const program = findProgram('dockerd') ?? 'dockerd'
  const settings = existsSync('/etc/docker/daemon.json') ? [] : ['--live-restore']
  return { name: 'dockerd', argv: [program, '-H', `unix://${socket}`, ...settings], stopGraceMs: 20_000 }
}
