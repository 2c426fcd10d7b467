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

/** The same processes as systemd units, by file name. */
export function systemdUnits(processes: readonly SupervisedProcess[]): Map<string, string> {
  const units = new Map<string, string>()
  for (const each of processes) units.set(`berth-${each.name}.service`, unit(each))
  return units
}

const order: Readonly<Record<string, string>> = {
  netd: 'Before=docker.service',
  server: 'After=network-online.target\nWants=network-online.target',
  agent: 'After=docker.service berth-netd.service network-online.target\nWants=docker.service network-online.target',
}

/** `KillMode=process`: nginx and other things that the agent has started must outlive it. */
function unit({ name, argv, stopGraceMs }: SupervisedProcess): string {
  return `[Unit]
Description=Berth ${name}
${order[name] ?? ''}

[Service]
ExecStart=${argv.map(quote).join(' ')}
Restart=always
RestartSec=1
KillMode=process
TimeoutStopSec=${Math.ceil((stopGraceMs ?? 10_000) / 1000) + 5}
LimitNOFILE=1048576
OOMScoreAdjust=-500

[Install]
WantedBy=multi-user.target
`
}

/** systemd.syntax(7): double quotes, with `%` and `$` doubled. */
const quote = (word: string): string =>
  `"${word.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('%', '%%').replaceAll('$', '$$$$')}"`
