import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type AgentConfig, defaults } from '../config.ts'
import { ExecutableReceiver } from './receive-executable.ts'

/** Of an agent as it was started; `directory` is its folder of state. */
export function createReceiver(config: AgentConfig, directory: string): ExecutableReceiver {
  const { stateDir, runDir = defaults.runDir, version, program = [] } = config
  const logs = join(stateDir, 'logs')
  mkdirSync(logs, { recursive: true, mode: 0o700 })
  return new ExecutableReceiver({
    ...{ program, version, directory, logFile: join(logs, 'upgrade.log') },
    upgradeArguments: ['agent', 'upgrade', '--state-dir', stateDir, '--run-dir', runDir],
  })
}
