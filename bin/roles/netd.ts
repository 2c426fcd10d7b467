import { runNetd } from '../../packages/agent/src/dns/netd.ts'
import { readRoleArguments } from '../role-arguments.ts'
import { untilSignal } from '../until-signal.ts'

/** `berth netd`: names for the containers of this machine; started before dockerd, needs nobody. */
export async function run(args: readonly string[]): Promise<number> {
  const { paths, log } = readRoleArguments(args, { command: 'berth netd' })
  await runNetd({ stateDir: paths.stateDir, log }, { signal: untilSignal() })
  return 0
}
