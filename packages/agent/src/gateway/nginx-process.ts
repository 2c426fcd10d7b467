import { readdir, readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { BerthError } from '@berth/core'
import type { Exec } from '../network/run-command.ts'
import { signalIfThere } from '../node/signal-if-there.ts'
import type { GatewayPaths } from './nginx-options.ts'
import { findPortHolder, holdsSocket } from './port-holder.ts'

/** nginx tries five times, half a second apart, to bind a port that is taken. */
const startTimeoutMs = 20_000
const pollMs = 20
const terminateMs = 5_000

/** One nginx by its pid file and configuration: told apart from every other nginx of the machine. */
export class NginxProcess {
  readonly #exec: Exec
  readonly #paths: GatewayPaths

  constructor(exec: Exec, paths: GatewayPaths) {
    this.#exec = exec
    this.#paths = paths
  }

  /** The master's pid when ours runs: the pid file may be stale and its number may belong to anybody by now. */
  async pid(): Promise<number | undefined> {
    const text = await readFile(this.#paths.pidFile, 'utf8').catch(() => '')
    const pid = Number.parseInt(text, 10)
    return Number.isInteger(pid) && pid > 1 && (await this.#isOurMaster(pid)) ? pid : undefined
  }

  /**
   * Starts nginx as a daemon: it forks away from the agent, into a session of its own, and outlives it. Resolves when it listens.
   * Throws `gateway.port-taken`, `gateway.start-failed`.
   */
  async start(nginxPath: string, signal?: AbortSignal): Promise<void> {
    const args = ['-p', this.#paths.stateDir, '-c', this.#paths.configuration]
    const { code, stderr } = await this.#exec(nginxPath, args, { signal, timeoutMs: startTimeoutMs })
    if (code !== 0) throw await startFailure(stderr)
    while ((await this.pid()) === undefined) await delay(pollMs, undefined, { signal })
  }

  /** Throws `gateway.configuration-refused` with nginx's own words. */
  async check(nginxPath: string, configuration: string, signal?: AbortSignal): Promise<void> {
    const args = ['-p', this.#paths.stateDir, '-t', '-q', '-c', configuration]
    const { code, stderr } = await this.#exec(nginxPath, args, { signal, timeoutMs: startTimeoutMs })
    if (code !== 0) {
      throw new BerthError('gateway.configuration-refused', `check the gateway's configuration: ${lastWords(stderr)}`)
    }
  }

  /** Makes the running nginx read its configuration again. */
  async reload(): Promise<void> {
    const pid = await this.pid()
    if (pid !== undefined) signalIfThere(pid, 'SIGHUP')
  }

  /** Ends nginx: after the requests that it serves, or when `graceMs` are over at once. */
  async stop(graceMs: number, signal?: AbortSignal): Promise<void> {
    const pid = await this.pid()
    if (pid === undefined) return
    signalIfThere(pid, 'SIGQUIT')
    if (await this.#isGone(graceMs, signal)) return
    signalIfThere(pid, 'SIGTERM')
    if (await this.#isGone(terminateMs, signal)) return
    throw new BerthError(
      'gateway.stop-failed',
      `stop the gateway: nginx (process ${pid}) does not end; look at it and kill it`,
    )
  }

  /**
   * Workers whose master was killed go on serving but hold the ports, and nothing can command them any more. They are told to finish
   * what they serve and to let go of the ports. Returns how many there were.
   */
  async dismissOrphans(signal?: AbortSignal): Promise<number> {
    const orphans = await this.#orphans()
    for (const pid of orphans) signalIfThere(pid, 'SIGQUIT')
    const deadline = Date.now() + terminateMs
    for (let left = orphans; left.length > 0; left = await this.#orphans()) {
      if (Date.now() > deadline) for (const pid of left) signalIfThere(pid, 'SIGTERM')
      await delay(pollMs, undefined, { signal })
    }
    return orphans.length
  }

  async #isGone(withinMs: number, signal: AbortSignal | undefined): Promise<boolean> {
    const deadline = Date.now() + withinMs
    while ((await this.pid()) !== undefined) {
      if (Date.now() >= deadline) return false
      await delay(pollMs, undefined, { signal })
    }
    return true
  }

  async #isOurMaster(pid: number): Promise<boolean> {
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
    const words = command.split(/[\0 ]/)
    return words.includes('nginx:') && words.includes('master') && words.includes(this.#paths.configuration)
  }

  /** Workers that listen at our admin socket although no master of ours runs. */
  async #orphans(): Promise<number[]> {
    if ((await this.pid()) !== undefined) return []
    const inodes = await socketInodes(this.#paths.adminSocket)
    if (inodes.size === 0) return []
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)
    const held = await Promise.all(pids.map((pid) => isWorkerWith(pid, inodes)))
    return pids.filter((_, index) => held[index])
  }
}

async function startFailure(stderr: string): Promise<BerthError> {
  const port = /bind\(\) to \S*?:(\d+) failed \(98:/.exec(stderr)?.[1]
  if (port !== undefined) return portTaken(Number(port))
  const denied = /bind\(\) to (\S+) failed \(13:/.exec(stderr)?.[1]
  if (denied !== undefined) {
    return new BerthError(
      'gateway.port-denied',
      `start the gateway at ${denied}: not permitted; ports below 1024 need root`,
    )
  }
  return new BerthError('gateway.start-failed', `start the gateway: ${lastWords(stderr)}`, { details: { stderr } })
}

/** Names who has the port, if that can be seen. */
async function portTaken(port: number): Promise<BerthError> {
  const holder = await findPortHolder(port)
  const who = holder === undefined ? 'another program' : `process ${holder.pid} (${holder.command})`
  return new BerthError(
    'gateway.port-taken',
    `start the gateway at port ${port}: ${who} listens there; stop it or give the gateway another port`,
    { details: { port, holder } },
  )
}

function lastWords(stderr: string): string {
  const lines = stderr.trim().split('\n')
  const telling = lines.filter((line) => /\[(emerg|alert|crit|error)\]/.test(line))
  return (telling.length > 0 ? telling : lines).slice(-3).join('; ').slice(0, 1000) || 'nginx did not say why'
}

/** Inodes of the listening sockets bound to `path`. */
async function socketInodes(path: string): Promise<Set<string>> {
  const rows = (await readFile('/proc/net/unix', 'utf8')).split('\n').map((row) => row.trim().split(/\s+/))
  return new Set(rows.filter((row) => row[7] === path).map((row) => row[6] ?? ''))
}

async function isWorkerWith(pid: number, inodes: ReadonlySet<string>): Promise<boolean> {
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
  if (!command.startsWith('nginx: worker process') || command.includes('shutting down')) return false
  return holdsSocket(String(pid), inodes)
}
