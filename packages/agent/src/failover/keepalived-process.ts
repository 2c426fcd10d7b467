import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { BerthError } from '@berth/core'
import type { Exec } from '../network/run-command.ts'
import { signalIfThere } from '../node/signal-if-there.ts'
import type { FailoverFiles } from './failover-files.ts'

const program = 'keepalived'
const pollMs = 20
const startMs = 10_000
const leaveMs = 10_000

interface Options {
  readonly signal: AbortSignal
}

/** keepalived by its pid file and configuration. It forks away from the agent and outlives it. */
export class KeepalivedProcess {
  readonly #exec: Exec
  readonly #files: FailoverFiles

  constructor(exec: Exec, files: FailoverFiles) {
    this.#exec = exec
    this.#files = files
  }

  /** When it is ours that runs: the number in the pid file may be anybody's by now. */
  pid(): Promise<number | undefined> {
    return this.#ours(this.#files.pidFile)
  }

  /**
   * Resolves when it runs. Addresses that one before has left on this node it takes away first, and waits to hear who else has them.
   * Throws `failover.keepalived-missing`, `failover.start-failed`.
   */
  async start({ signal }: Options): Promise<void> {
    const { configuration, pidFile, vrrpPidFile } = this.#files
    await this.#endOrphan(signal)
    await this.#files.removePids()
    const args = ['--vrrp', '-f', configuration, '-p', pidFile, '-r', vrrpPidFile]
    const { code, stderr, stdout } = await this.#run(args, { signal })
    if (code !== 0) throw startFailure(lastWords(stderr || stdout))
    const deadline = Date.now() + startMs
    while ((await this.pid()) === undefined || (await this.#ours(vrrpPidFile)) === undefined) {
      if (Date.now() > deadline) throw startFailure('it has ended; what it said is in the log of the system')
      await delay(pollMs, undefined, { signal })
    }
  }

  /** What is wrong with this configuration by keepalived's own words; undefined: nothing. Throws `failover.keepalived-missing`. */
  async refusal(path: string, { signal }: Options): Promise<string | undefined> {
    const { code, stderr, stdout } = await this.#run(['--vrrp', '-t', '-f', path], { signal })
    return code === 0 ? undefined : lastWords(stderr || stdout)
  }

  /** Instances that are in both configurations go on as they are; of one that goes its peers are told. */
  async reload(): Promise<void> {
    const pid = await this.pid()
    if (pid !== undefined) signalIfThere(pid, 'SIGHUP')
  }

  /** It tells its peers, and takes its addresses away. Throws `failover.stop-failed`. */
  async stop(): Promise<void> {
    const pid = await this.pid()
    if (pid === undefined) return
    signalIfThere(pid, 'SIGTERM')
    if (await this.#isGone(this.#files.pidFile)) return
    throw new BerthError(
      'failover.stop-failed',
      `end keepalived: process ${pid} does not end; look at it and kill it, then take its addresses away (ip address)`,
    )
  }

  /** Its parent was killed: it ends by itself, and is told so all the same. */
  async #endOrphan(signal: AbortSignal): Promise<void> {
    const pid = await this.#ours(this.#files.vrrpPidFile)
    if (pid === undefined) return
    signal.throwIfAborted()
    signalIfThere(pid, 'SIGTERM')
    if (!(await this.#isGone(this.#files.vrrpPidFile))) throw startFailure(`process ${pid} of one before does not end`)
  }

  async #ours(pidFile: string): Promise<number | undefined> {
    const pid = Number.parseInt(await readFile(pidFile, 'utf8').catch(() => ''), 10)
    if (!Number.isInteger(pid) || pid <= 1) return undefined
    const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0')
    return words.includes('--vrrp') && words.includes(this.#files.configuration) ? pid : undefined
  }

  async #isGone(pidFile: string): Promise<boolean> {
    const deadline = Date.now() + leaveMs
    while ((await this.#ours(pidFile)) !== undefined) {
      if (Date.now() > deadline) return false
      await delay(pollMs)
    }
    return true
  }

  async #run(args: readonly string[], options: Options) {
    return await this.#exec(program, args, { ...options, timeoutMs: startMs }).catch((error: unknown) => {
      if (error instanceof BerthError && error.code === 'network.command-missing') throw missing(error)
      throw error
    })
  }
}

const missing = (cause?: BerthError): BerthError =>
  new BerthError(
    'failover.keepalived-missing',
    'hold a failover address: keepalived is not installed on this node: apt-get install keepalived, then stop its own service: systemctl disable --now keepalived',
    { cause },
  )

const startFailure = (why: string): BerthError =>
  new BerthError('failover.start-failed', `start keepalived: ${why}`, { retryable: true })

const lastWords = (text: string): string =>
  text.trim().split('\n').slice(-3).join('; ').slice(-600) || 'it did not say why'
