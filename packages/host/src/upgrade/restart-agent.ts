import { readFileSync } from 'node:fs'
import { hasSystemd, runningSupervisor, startSupervisor, systemctl } from '../bring-up.ts'
import type { HostPaths } from '../host-paths.ts'
import { endProcess, isAlive, type ProcessId, signalProcess } from '../process-id.ts'

const graceMs = 15_000

/** Ends netd and the agent, so that whoever keeps them running starts what is installed now. Containers and the gateway go on. */
export async function restartAgent(paths: HostPaths): Promise<void> {
  if (hasSystemd()) return systemctl(['restart', 'berth-netd.service', 'berth-agent.service'])
  const { processes } = JSON.parse(readFileSync(paths.supervisorState, 'utf8')) as {
    readonly processes: Readonly<Record<string, ProcessId>>
  }
  for (const name of ['netd', 'agent']) {
    const id = processes[name]
    if (id !== undefined) await endProcess(id, graceMs)
  }
}

/** The supervisor itself: its death touches nothing that it has started, and the next one adopts it all. */
export async function renewSupervisor(
  paths: HostPaths,
  program: readonly string[],
  log: (message: string) => void,
): Promise<void> {
  if (hasSystemd()) return
  const running = runningSupervisor(paths)
  if (running !== undefined) {
    signalProcess(running, 'SIGKILL')
    while (isAlive(running)) await new Promise((resolve) => setTimeout(resolve, 10))
  }
  startSupervisor(paths, program, log)
}
