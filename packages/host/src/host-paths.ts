import { join } from 'node:path'

export const defaultStateDir = '/var/lib/berth'
export const defaultRunDir = '/run/berth'

/** Where everything of one machine lives. `docs/design/overview.md` lists what is in which folder. */
export interface HostPaths {
  readonly stateDir: string
  readonly runDir: string
  readonly config: string
  readonly logs: string
  readonly supervisorState: string
  readonly serverSocket: string
}

export const hostPaths = (stateDir: string, runDir: string): HostPaths => ({
  stateDir,
  runDir,
  config: join(stateDir, 'host.json'),
  logs: join(stateDir, 'logs'),
  supervisorState: join(stateDir, 'supervisor.json'),
  serverSocket: join(runDir, 'server.sock'),
})
