import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { BerthError } from '@berth/core'
import type { CgroupTree } from './cgroup-tree.ts'
import { minimalEnvironment } from './command.ts'
import type { SpawnedProcess } from './lab.ts'
import { ENTER_SCRIPT } from './namespace-process.ts'
import { childrenOf, sendSignal } from './process-table.ts'
import { waitFor } from './wait-for.ts'

/** The argv that runs `argv` in all namespaces and cgroups of a host. */
export const enterArgv = (
  initPid: number,
  cgroup: CgroupTree,
  argv: readonly string[],
  options: { readonly cwd?: string | undefined } = {},
): string[] => [
  '/bin/sh',
  ENTER_SCRIPT,
  ...cgroup.joinFiles('leaf'),
  '--',
  'nsenter',
  `--target=${initPid}`,
  '--mount',
  '--uts',
  '--net',
  '--pid',
  '--cgroup',
  '--root',
  '--wd',
  '--',
  ...(options.cwd === undefined ? [] : ['env', '-C', options.cwd, '--']),
  ...argv,
]

export interface LongRunning {
  readonly enter: readonly string[]
  readonly env?: Readonly<Record<string, string>> | undefined
  readonly logFile: string
}

/**
 * Starts a process inside a host that outlives this one. What is started is `nsenter`, which forks into the host's process namespace, waits, and ends
 * as its child ended; signals go to the child.
 */
export async function startInside({ enter, env, logFile }: LongRunning): Promise<SpawnedProcess> {
  const log = openSync(logFile, 'a')
  const [file = '', ...args] = enter
  const wrapper = spawn(file, args, {
    cwd: '/',
    env: { ...minimalEnvironment(), ...env },
    stdio: ['ignore', log, log],
    detached: true,
  })
  closeSync(log)
  const exited = new Promise<Awaited<SpawnedProcess['exited']>>((resolve) => {
    wrapper.once('exit', (code, signal) => resolve({ code, signal }))
    wrapper.once('error', () => resolve({ code: 127, signal: null }))
  })
  wrapper.unref()
  const hasEnded = () => wrapper.exitCode !== null || wrapper.signalCode !== null || wrapper.pid === undefined
  const pid = await waitFor(() => (hasEnded() ? -1 : childrenOf(wrapper.pid ?? 0)[0]), {
    what: `${file} to start inside the host`,
    deadlineMs: 10_000,
  })
  if (pid === -1) {
    throw new BerthError('lab.process-not-started', `start a process inside the host: it ended at once; see ${logFile}`)
  }
  return {
    pid,
    logFile,
    exited,
    kill: (signal = 'SIGTERM') => !hasEnded() && sendSignal(pid, signal),
  }
}
