import { runNetd } from '../../packages/agent/src/dns/netd.ts'
import { readRoleArguments } from '../role-arguments.ts'
import { untilSignal } from '../until-signal.ts'

/** `berth netd`: names and, in routed mode, links for the containers of this machine; started before dockerd, needs nobody. */
export async function run(args: readonly string[]): Promise<number> {
  const { paths, log } = readRoleArguments(args, { command: 'berth netd' })
  await runNetd({ stateDir: paths.stateDir, log, plugin: { runDir: paths.runDir } }, { signal: untilSignal() })
  return 0
}
