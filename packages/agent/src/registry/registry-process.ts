import { spawn } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import type { RegistryOrder } from '@berth/api'
import { BerthError } from '@berth/core'
import { findPortHolder } from '../gateway/port-holder.ts'
import { runCommand } from '../network/run-command.ts'
import { signalIfThere } from '../node/signal-if-there.ts'
import type { RegistryFiles } from './registry-files.ts'

const program = 'docker-registry'
const startMs = 15_000
const pollMs = 20
const terminateMs = 5_000
/** A process that ends loses its command line first and its sockets last: only then is the port free for the next one. */
const portFreeMs = 3_000
const collectMs = 3_600_000
const firstToGo = '500'
const maxLogBytes = 1024 * 1024
const environment = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' }

/** Where it is reached, and what it shows. */
type Served = Pick<RegistryOrder, 'address' | 'port' | 'certificatePem'>

/**
 * Debian's `docker-registry` by its pid file and configuration. It is no child that ends with the agent: who starts next finds it, and a
 * new agent costs nobody a pull.
 */
export class RegistryProcess {
  readonly #files: RegistryFiles

  constructor(files: RegistryFiles) {
    this.#files = files
  }

  /** When it is ours that runs: the number in the pid file may be anybody's by now. */
  async pid(): Promise<number | undefined> {
    const pid = Number.parseInt(await readFile(this.#files.pidFile, 'utf8').catch(() => ''), 10)
    if (!Number.isInteger(pid) || pid <= 1) return undefined
    return (await this.#isOurs(pid, 'serve')) ? pid : undefined
  }

  /** Resolves when it serves. Throws `registry.program-missing`, `registry.port-taken`, `registry.start-failed`. */
  async start({ address, port, certificatePem }: Served, signal: AbortSignal): Promise<void> {
    // One of an agent that was killed meanwhile: beside it nothing may be pushed.
    for (const pid of await this.#collectors()) await this.#end(pid)
    for (const deadline = Date.now() + portFreeMs; await listens(address, port); ) {
      if (Date.now() > deadline) throw await portTaken(address, port)
      await delay(pollMs, undefined, { signal })
    }
    const pid = await this.#spawn()
    // Where memory is short the registry goes before any instance: it is started again, and copies do meanwhile.
    await writeFile(`/proc/${pid}/oom_score_adj`, firstToGo).catch(() => undefined)
    await writeFile(this.#files.pidFile, `${pid}\n`, { mode: 0o600 })
    const deadline = Date.now() + startMs
    while (!(await serves({ address, port, certificatePem }))) {
      if ((await this.pid()) === undefined || Date.now() > deadline) throw await this.#notStarted(address, port)
      await delay(pollMs, undefined, { signal })
    }
  }

  async stop(): Promise<void> {
    const pid = await this.pid()
    if (pid !== undefined) await this.#end(pid)
    await rm(this.#files.pidFile, { force: true })
  }

  /** Takes off the disk what no image needs. Nothing may be pushed meanwhile. Throws `registry.collection-failed`. */
  async collect(signal: AbortSignal): Promise<void> {
    const args = ['garbage-collect', '--delete-untagged', this.#files.configuration]
    const { code, stderr } = await runCommand(program, args, { signal, timeoutMs: collectMs })
    if (code === 0) return
    throw new BerthError('registry.collection-failed', `collect the registry's garbage: ${lastWords(stderr)}`, {
      retryable: true,
    })
  }

  async #isOurs(pid: number, command: 'serve' | 'garbage-collect'): Promise<boolean> {
    const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0')
    return words.includes(command) && words.includes(this.#files.configuration)
  }

  async #collectors(): Promise<number[]> {
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)
    const ours = await Promise.all(pids.map((pid) => this.#isOurs(pid, 'garbage-collect')))
    return pids.filter((_, at) => ours[at])
  }

  /** Throws `registry.stop-failed`. */
  async #end(pid: number): Promise<void> {
    const runs = async () => (await this.#isOurs(pid, 'serve')) || (await this.#isOurs(pid, 'garbage-collect'))
    for (const how of ['SIGTERM', 'SIGKILL'] as const) {
      if (!(await runs())) return
      signalIfThere(pid, how)
      for (const deadline = Date.now() + terminateMs; (await runs()) && Date.now() < deadline; ) await delay(pollMs)
    }
    if (await runs()) throw notEnded()
  }

  async #spawn(): Promise<number> {
    const { log, configuration, directory } = this.#files
    const isLong = await stat(log).then(
      ({ size }) => size > maxLogBytes,
      () => false,
    )
    await using output = await open(log, isLong ? 'w' : 'a', 0o600)
    const child = spawn(program, ['serve', configuration], {
      ...{ detached: true, cwd: directory, env: environment },
      stdio: ['ignore', output.fd, output.fd],
    })
    const { promise, resolve, reject } = Promise.withResolvers<number>()
    child.once('spawn', () => resolve(child.pid ?? 0))
    child.once('error', (cause) => reject(missing(cause)))
    child.unref()
    return await promise
  }

  async #notStarted(address: string, port: number): Promise<BerthError> {
    const said = lastWords(await readFile(this.#files.log, 'utf8').catch(() => ''))
    if (/address already in use/.test(said)) return await portTaken(address, port)
    return new BerthError('registry.start-failed', `start the registry at ${address}:${port}: ${said}`, {
      retryable: true,
    })
  }
}

/** It has this port before it has read its certificate, and ends if it cannot: what counts is that it shows it. */
const serves = ({ address, port, certificatePem }: Served): Promise<boolean> =>
  new Promise((resolve) => {
    // Whose it is is told by the certificate itself, which is compared.
    const socket = connectTls({ host: address, port, timeout: 1000, rejectUnauthorized: false }, () => {
      const wanted = fingerprintOf(certificatePem)
      end(wanted !== undefined && socket.getPeerX509Certificate()?.fingerprint256 === wanted)()
    })
    const end = (answer: boolean) => () => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('error', end(false)).once('close', end(false)).once('timeout', end(false))
  })

/** Undefined: it is none, which the program will say. */
function fingerprintOf(certificatePem: string): string | undefined {
  try {
    return new X509Certificate(certificatePem).fingerprint256
  } catch {
    return undefined
  }
}

const listens = (host: string, port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 1000 })
    const end = (answer: boolean) => () => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('connect', end(true)).once('error', end(false)).once('timeout', end(false))
  })

/** Its log has a line of `key=value` for each event; the words are in `msg` or `error`, or it said something else in clear. */
const lastWords = (text: string): string =>
  text.trim().split('\n').slice(-2).join('; ').slice(-600) || 'it did not say why'

const missing = (cause: Error): BerthError =>
  new BerthError(
    'registry.program-missing',
    `start the registry: ${program} cannot be run (${cause.message}); install it on that node: apt-get install docker-registry, then stop its own service: systemctl disable --now docker-registry`,
    { cause },
  )

/** Names who has the port, if that can be seen. */
async function portTaken(address: string, port: number): Promise<BerthError> {
  const holder = await findPortHolder(port)
  const who = holder === undefined ? 'another program' : `process ${holder.pid} (${holder.command})`
  const next = 'stop it, or give the registry another port'
  return new BerthError(
    'registry.port-taken',
    `start the registry at ${address}:${port}: ${who} listens there; ${next}`,
    {
      retryable: true,
    },
  )
}

const notEnded = (): BerthError =>
  new BerthError('registry.stop-failed', 'stop the registry: its process does not end; look at it and kill it')
