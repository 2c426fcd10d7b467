import { spawn, spawnSync } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { BerthError, messageOf } from '@berth/core'
import { type HostConfig, readHostConfig, writeHostConfig } from './host-config.ts'
import type { HostPaths } from './host-paths.ts'
import { endProcess, isAlive, type ProcessId } from './process-id.ts'
import { processTable } from './process-table.ts'
import { findShortcomings, probeDocker, requireNone, roomShortcoming, type Shortcoming } from './requirements.ts'
import { installUnits, removeUnits, systemdUnits } from './systemd-units.ts'

export interface BringUpOptions {
  readonly paths: HostPaths
  readonly config: HostConfig
  /** How this program is called: `[/usr/local/bin/berth]`, or Node and the script. */
  readonly program: readonly string[]
  readonly log: (message: string) => void
  readonly signal: AbortSignal
}

export const hasSystemd = (): boolean => existsSync('/run/systemd/system')

/** Checks the machine, writes its configuration and starts its processes. Doing it again changes what differs and nothing else. */
export async function bringUp({ paths, config, program, log, signal }: BringUpOptions): Promise<void> {
  const former = readHostConfig(paths.config)
  await check(paths, config, former !== undefined, log)
  const changed = JSON.stringify(former) !== JSON.stringify(config)
  // A full disk does not keep what was up before from coming back.
  if (changed) writeHostConfig(paths.config, config)
  mkdirSync(paths.runDir, { recursive: true, mode: 0o755 })
  if (hasSystemd()) return startUnits(paths, config, program, changed, log)
  const running = runningSupervisor(paths)
  if (running !== undefined) {
    const replaced = runsAnotherProgram(running.pid, program[0])
    if (!changed && !replaced) return log(`supervisor runs already (pid ${running.pid})`)
    const reason = changed ? 'the configuration has changed' : 'what runs is another program than this one'
    log(`${reason}: restarting the processes (containers and traffic go on)`)
    await endProcess(running, 60_000)
  }
  startSupervisor(paths, program, log)
  await waitFor('the supervisor', () => runningSupervisor(paths) !== undefined, 10_000, signal)
}

/** Whether what this process runs is another file than `program`: that one was replaced, or is a newer one at another place. */
export function runsAnotherProgram(pid: number, program = ''): boolean {
  try {
    const running = statSync(`/proc/${pid}/exe`)
    const file = statSync(program)
    return running.ino !== file.ino || running.dev !== file.dev
  } catch {
    return false
  }
}

async function check(
  { stateDir }: HostPaths,
  config: HostConfig,
  wasUp: boolean,
  log: BringUpOptions['log'],
): Promise<void> {
  const found = await findShortcomings({
    ...{ stateDir, dockerSocket: config.dockerSocket, gateway: config.labels.gateway === 'true' },
    ...(wasUp ? { minFreeBytes: 0 } : {}),
  })
  const noRoom = wasUp ? roomShortcoming(stateDir) : undefined
  if (noRoom !== undefined) log(`goes on with ${noRoom.what}; ${noRoom.remedy}`)
  const silent = found.find(isSilentDocker)
  // A Docker with a routed network starts only once netd is there to be asked.
  const isAwaited = config.superviseDocker || wasUp
  if (silent !== undefined && isAwaited && !config.superviseDocker)
    log(`goes on, and waits for Docker: ${silent.what} (${silent.remedy})`)
  requireNone(isAwaited ? found.filter((each) => !isSilentDocker(each)) : found)
}

const isSilentDocker = ({ what }: Shortcoming): boolean => what.startsWith('Docker does not answer')

export function runningSupervisor(paths: HostPaths): ProcessId | undefined {
  try {
    const { supervisor } = JSON.parse(readFileSync(paths.supervisorState, 'utf8')) as { supervisor?: ProcessId }
    return supervisor !== undefined && isAlive(supervisor) ? supervisor : undefined
  } catch {
    return undefined
  }
}

export function startSupervisor(paths: HostPaths, program: readonly string[], log: (message: string) => void): void {
  mkdirSync(paths.logs, { recursive: true, mode: 0o700 })
  const output = openSync(join(paths.logs, 'supervisor.log'), 'a', 0o600)
  const [command = '', ...args] = program
  const argv = [...args, 'supervise', '--state-dir', paths.stateDir, '--run-dir', paths.runDir]
  const child = spawn(command, argv, { detached: true, stdio: ['ignore', output, output], cwd: '/' })
  child.unref()
  closeSync(output)
  log(`supervisor started, pid ${child.pid}; logs in ${paths.logs}`)
}

function startUnits(
  paths: HostPaths,
  config: HostConfig,
  program: readonly string[],
  changed: boolean,
  log: (message: string) => void,
): void {
  const units = systemdUnits(processTable({ ...config, superviseDocker: false }, paths, program))
  const replaced = [...units.keys()].some((unit) => runsAnotherProgram(mainPid(unit), program[0]))
  const started = installUnits(units, changed || replaced, systemd)
  log(
    started.length === 0 ? `units ${[...units.keys()].join(', ')} run already` : `units ${started.join(', ')} started`,
  )
}

const mainPid = (unit: string): number =>
  Number(spawnSync('systemctl', ['show', '--property=MainPID', '--value', unit], { encoding: 'utf8' }).stdout)

/** Throws `host.systemd-failed`. */
export function systemctl(args: readonly string[]): void {
  const { status, stderr, error } = spawnSync('systemctl', args, { encoding: 'utf8' })
  if (status !== 0)
    throw new BerthError('host.systemd-failed', `systemctl ${args.join(' ')}: ${error?.message ?? stderr.trim()}`)
}

const systemd = { unitDir: '/etc/systemd/system', systemctl }

/** Ends the processes; containers and nginx are the caller's to stop before, if they shall not go on. */
export async function takeDown(paths: HostPaths, log: (message: string) => void): Promise<void> {
  if (hasSystemd()) return removeUnits(systemd)
  const running = runningSupervisor(paths)
  if (running !== undefined) {
    log(`ending the supervisor (pid ${running.pid}) and its processes`)
    await endProcess(running, 60_000)
  }
  await endOrphans(paths)
}

/** A supervisor that was killed has left its processes behind. */
async function endOrphans(paths: HostPaths): Promise<void> {
  try {
    const { processes } = JSON.parse(readFileSync(paths.supervisorState, 'utf8')) as {
      processes: Record<string, ProcessId>
    }
    for (const id of Object.values(processes).toReversed()) await endProcess(id, 10_000)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      throw new BerthError('host.state-unreadable', `read ${paths.supervisorState}: ${messageOf(error)}`)
  }
}

/** For the Docker that is run here, so its log is, too. */
export async function waitForDocker(socket: string, paths: HostPaths, signal: AbortSignal): Promise<void> {
  const what = `Docker at ${socket} (why is at the end of its log: ${join(paths.logs, 'dockerd.log')})`
  await waitFor(what, async () => (await probeDocker(socket)) === undefined, 60_000, signal)
}

/** Polls until it holds; the error names what was waited for, as it is then. */
export async function waitFor(
  what: string | (() => string),
  holds: () => boolean | Promise<boolean>,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (!(await holds())) {
    signal.throwIfAborted()
    if (performance.now() > deadline) {
      const awaited = typeof what === 'string' ? what : what()
      throw new BerthError('host.timeout', `waited ${Math.round(timeoutMs / 1000)} s in vain for ${awaited}`, {
        retryable: true,
      })
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
