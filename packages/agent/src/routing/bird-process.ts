import { readdir, readFile, rm, stat } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { BerthError } from '@berth/core'
import type { Exec } from '../network/run-command.ts'
import { signalIfThere } from '../node/signal-if-there.ts'
import { askBird } from './bird-control.ts'
import type { BirdFiles } from './bird-files.ts'

const program = 'bird'
const pollMs = 20
const startMs = 10_000
const leaveMs = 5_000

interface Options {
  readonly signal: AbortSignal
}

/**
 * BIRD by its pid file and configuration. It forks away from the agent and outlives it. Whenever it ends, the kernel keeps its routes and its
 * peers keep what it told them, for a time: it says no goodbye unless it is told to.
 */
export class BirdProcess {
  readonly #exec: Exec
  readonly #files: BirdFiles
  readonly #namespace: string

  /** `namespace`: the network that it is to speak in, as a path; two BIRDs disturb each other only in one. */
  constructor(exec: Exec, files: BirdFiles, namespace = '/proc/self/ns/net') {
    this.#exec = exec
    this.#files = files
    this.#namespace = namespace
  }

  /** When it is ours that runs: the number in the pid file may be anybody's by now. */
  async pid(): Promise<number | undefined> {
    const pid = Number.parseInt(await readFile(this.#files.pidFile, 'utf8').catch(() => ''), 10)
    return Number.isInteger(pid) && pid > 1 && (await this.#isOurs(pid)) ? pid : undefined
  }

  /**
   * Resolves when it answers. With `recover` it takes the routes that are there for those of its predecessor, and keeps them until its peers
   * have told everything again, or for half a minute where one does not. Throws `routing.bird-missing`, `routing.start-failed`.
   */
  async start({ signal, recover }: Options & { readonly recover: boolean }): Promise<void> {
    const { configuration, control, pidFile } = this.#files
    await rm(control, { force: true })
    const args = ['-c', configuration, '-s', control, '-P', pidFile, ...(recover ? ['-R'] : [])]
    const { code, stderr, stdout } = await this.#run(args, { signal })
    if (code !== 0) throw startFailure(stderr || stdout)
    for (const deadline = Date.now() + startMs; ; ) {
      const answer = await askBird(control, 'show status', { signal }).catch(() => undefined)
      if (answer !== undefined) return
      if (Date.now() > deadline) throw startFailure(`it does not answer within ${startMs / 1000} s`)
      await delay(pollMs, undefined, { signal })
    }
  }

  /** What is wrong with this configuration by BIRD's own words; undefined: nothing. Throws `routing.bird-missing`. */
  async refusal(path: string, { signal }: Options): Promise<string | undefined> {
    const { code, stderr, stdout } = await this.#run(['-p', '-c', path], { signal })
    return code === 0 ? undefined : lastWords(stderr || stdout)
  }

  /** Without a goodbye, so that peers keep its routes; or with one, after which they have none. Throws `routing.stop-failed`. */
  async stop({ signal, goodbye = false }: Options & { readonly goodbye?: boolean }): Promise<void> {
    if ((await this.pid()) === undefined) return
    const command = goodbye ? 'down' : 'graceful restart'
    await askBird(this.#files.control, command, { signal }).catch(() => undefined)
    if (await this.#isGone()) return
    const pid = await this.pid()
    if (pid !== undefined) signalIfThere(pid, 'SIGKILL')
    if (await this.#isGone()) return
    throw new BerthError('routing.stop-failed', `end BIRD: process ${pid} does not end; look at it and kill it`)
  }

  /** Another BIRD that has the same network. */
  async other(): Promise<{ readonly pid: number; readonly command: string } | undefined> {
    const [own, network] = [await this.pid(), await identityOf(this.#namespace)]
    for (const name of await readdir('/proc')) {
      const pid = Number(name)
      if (!Number.isInteger(pid) || pid === own) continue
      const comm = (await readFile(`/proc/${name}/comm`, 'utf8').catch(() => '')).trim()
      if (comm !== program || (await this.#isOurs(pid))) continue
      if ((await identityOf(`/proc/${name}/ns/net`)) !== network) continue
      const command = (await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ').trim()
      if (command !== '') return { pid, command }
    }
    return undefined
  }

  async #run(args: readonly string[], options: Options) {
    return await this.#exec(program, args, { ...options, timeoutMs: startMs }).catch((error: unknown) => {
      if (error instanceof BerthError && error.code === 'network.command-missing') throw missing(error)
      throw error
    })
  }

  async #isOurs(pid: number): Promise<boolean> {
    const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0')
    return words.includes('-P') && words.includes(this.#files.configuration)
  }

  async #isGone(): Promise<boolean> {
    const deadline = Date.now() + leaveMs
    while ((await this.pid()) !== undefined) {
      if (Date.now() > deadline) return false
      await delay(pollMs)
    }
    return true
  }
}

const identityOf = (path: string): Promise<string | undefined> =>
  stat(path).then(
    ({ dev, ino }) => `${dev}:${ino}`,
    () => undefined,
  )

const missing = (cause: BerthError): BerthError =>
  new BerthError(
    'routing.bird-missing',
    'speak BGP: BIRD 2 is not installed on this node: apt-get install bird2, then stop its own service: systemctl disable --now bird',
    { cause },
  )

const startFailure = (said: string): BerthError =>
  new BerthError('routing.start-failed', `start BIRD: ${lastWords(said)}`, { retryable: true })

const lastWords = (text: string): string =>
  text.trim().split('\n').slice(-3).join('; ').slice(-600) || 'it did not say why'
