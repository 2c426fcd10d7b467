import { join } from 'node:path'
import type { AgentConfig } from '../config.ts'
import { ConfigKeeper, type ConfigKeeperOptions } from './config-keeper.ts'
import { ConfigMemoryFile } from './config-memory.ts'
import { DockerItems } from './docker-items.ts'
import { Dockerd, type DockerdOptions } from './dockerd.ts'
import { FileItems } from './file-items.ts'
import { type GateOptions, HealthGate } from './health-gate.ts'
import { Machine } from './machine.ts'
import { PackageItems } from './package-items.ts'
import { SysctlItems } from './sysctl-items.ts'

export interface KeeperParts extends Omit<GateOptions, 'ping'>, Pick<ConfigKeeperOptions, 'onChange'> {
  /** The agent's folder. */
  readonly directory: string
  readonly engine: DockerdOptions['engine']
}

/** Of an agent as it was started. */
export async function createKeeper(config: AgentConfig, parts: KeeperParts): Promise<ConfigKeeper> {
  const { directory, engine, onChange, ...gate } = parts
  const log = config.log.child({ part: 'node-config' })
  const dockerd = new Dockerd({
    ...{ engine, keptBy: config.keepsDocker === true ? 'berth' : undefined },
    noteFile: join(directory, 'dockerd-call.json'),
    logFile: join(config.stateDir, 'logs', 'dockerd.log'),
  })
  return new ConfigKeeper({
    ...{ log, onChange },
    file: await ConfigMemoryFile.open(join(directory, 'node-config.json'), log),
    gate: new HealthGate({ ...gate, ping: (options) => engine.ping(options) }),
    machine: new Machine({
      package: new PackageItems(),
      file: new FileItems(),
      sysctl: new SysctlItems(),
      docker: new DockerItems(dockerd),
    }),
  })
}
