import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { BerthError } from '@berth/core'
import type { CgroupTree } from './cgroup-tree.ts'
import { minimalEnvironment } from './command.ts'
import { waitFor } from './wait-for.ts'

export const ENTER_SCRIPT = join(import.meta.dirname, 'host-enter.sh')

export interface FirstProcessOptions {
  readonly cgroup: CgroupTree
  /** What `unshare` makes new, e.g. `--net`. */
  readonly unshare: readonly string[]
  readonly argv: readonly string[]
  /** Its complaints, should it not get ready. */
  readonly logFile: string
  readonly isReady: () => boolean
  readonly what: string
  readonly signal?: AbortSignal | undefined
}

/**
 * Starts the process that keeps a set of namespaces alive, in its cgroup, detached from this one, and gives the id of the `unshare`
 * process once it is ready (which with `--fork` is the parent of the namespaces' first process).
 */
export async function startFirstProcess(options: FirstProcessOptions): Promise<number> {
  const log = openSync(options.logFile, 'a')
  const joinFiles = options.cgroup.joinFiles('root')
  const argv = [ENTER_SCRIPT, ...joinFiles, '--', 'unshare', ...options.unshare, '--', ...options.argv]
  const child = spawn('/bin/sh', argv, {
    cwd: '/',
    env: minimalEnvironment(),
    stdio: ['ignore', log, log],
    detached: true,
  })
  closeSync(log)
  let failure: string | undefined
  child.once('error', (error) => {
    failure = error.message
  })
  child.once('exit', (code, signal) => {
    failure = `it ended (${signal ?? `exit code ${code}`})`
  })
  child.unref()
  try {
    await waitFor(() => options.isReady() || failure !== undefined, {
      what: `${options.what} to be set up`,
      deadlineMs: 30_000,
      signal: options.signal,
      explain: () => lastWords(options.logFile),
    })
  } catch (error) {
    // It may be anywhere between its start and its cgroup, where nobody would look for it.
    await killAndWait(child)
    throw error
  }
  if (failure === undefined && child.pid !== undefined) return child.pid
  throw new BerthError('lab.namespaces', `set up ${options.what}: ${failure}: ${lastWords(options.logFile)}`)
}

const lastWords = (logFile: string): string => readFileSync(logFile, 'utf8').trim().slice(-2000)

const killAndWait = async (child: ChildProcess): Promise<void> => {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}
