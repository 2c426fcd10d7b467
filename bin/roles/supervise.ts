import { parseArgs } from 'node:util'
import { BerthError } from '../../packages/core/src/index.ts'
import {
  defaultRunDir,
  defaultStateDir,
  hostPaths,
  processTable,
  readHostConfig,
  Supervisor,
} from '../../packages/host/src/index.ts'
import { berthProgram } from '../berth-program.ts'
import { logDestination } from '../log-destination.ts'
import { untilSignal } from '../until-signal.ts'

export async function run(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      'state-dir': { type: 'string', default: defaultStateDir },
      'run-dir': { type: 'string', default: defaultRunDir },
    },
  })
  const paths = hostPaths(values['state-dir'], values['run-dir'])
  const config = readHostConfig(paths.config)
  if (config === undefined) throw new BerthError('host.not-up', `${paths.config} does not exist; run berth up`)
  const output = logDestination(1)
  const log = (message: string) => output.write(`${new Date().toISOString()} ${message}\n`)
  const supervisor = new Supervisor({
    processes: processTable(config, paths, berthProgram()),
    logDir: paths.logs,
    stateFile: paths.supervisorState,
    log,
  })
  await supervisor.run(untilSignal())
  return 0
}
