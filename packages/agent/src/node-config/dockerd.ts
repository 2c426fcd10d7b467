import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, openSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { BerthError, type DockerEffect, type Json } from '@berth/core'
import { mustRun, runHere } from './host-run.ts'
import type { KindOptions } from './item-kind.ts'

export interface DockerdOptions {
  /** `berth`: Berth's supervisor starts it again when it ends. Absent: systemd does, or nobody. */
  readonly keptBy?: 'berth' | undefined
  readonly pidFile?: string
  /** Where the way it was called is remembered, while it may be down. */
  readonly noteFile: string
  readonly logFile: string
  readonly engine: {
    ping(options: KindOptions): Promise<void>
    info(options: KindOptions): Promise<{ readonly liveRestore: boolean }>
  }
}

interface Call {
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
}

interface Started {
  readonly call: Call
  readonly tries: number
  hasEnded: boolean
}

const defaultPidFile = '/var/run/docker.pid'
const defaultConfigFile = '/etc/docker/daemon.json'
const stopMs = 60_000
const startMs = 120_000
const maxStarts = 3
const lookMs = 100

/** The dockerd of this machine as a process: how it was called, and how it takes up another configuration. */
export class Dockerd {
  readonly #options: DockerdOptions
  /** The last one that was started here. */
  #started: Started | undefined

  constructor(options: DockerdOptions) {
    this.#options = options
  }

  async configFile(): Promise<string> {
    const flags = await this.flags()
    for (const [at, flag] of flags.entries()) {
      if (flag.startsWith('--config-file=')) return flag.slice('--config-file='.length)
      if (flag === '--config-file') return flags[at + 1] ?? defaultConfigFile
    }
    return defaultConfigFile
  }

  async flags(): Promise<readonly string[]> {
    return (this.#call() ?? this.#noted())?.argv.slice(1) ?? []
  }

  /** Containers run on while it is away. */
  async keepsContainers({ signal }: KindOptions): Promise<boolean> {
    return (await this.#options.engine.info({ signal })).liveRestore
  }

  /** What it would say against a configuration; undefined: nothing, or its version cannot be asked. */
  async validate(document: Readonly<Record<string, Json>>, { signal }: KindOptions): Promise<string | undefined> {
    const program = (this.#call() ?? this.#noted())?.argv[0]
    if (program === undefined) return undefined
    const directory = mkdtempSync(join(tmpdir(), 'berth-dockerd-'))
    try {
      const file = join(directory, 'daemon.json')
      writeFileSync(file, JSON.stringify(document))
      const ran = await runHere([program, '--validate', '--config-file', file], { timeoutMs: 20_000, signal })
      const said = ran.tail.join(' ')
      return ran.code === 0 || /unknown flag/.test(said)
        ? undefined
        : said.replace(/^.*?(unable|merged|invalid)/i, '$1')
    } catch {
      signal.throwIfAborted()
      return undefined
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  }

  /** Resolves when it answers again. */
  async take(effect: DockerEffect, { signal }: KindOptions): Promise<void> {
    const pid = this.#pid()
    if (effect === 'none') return
    if (effect === 'reload' && pid !== undefined) return void process.kill(pid, 'SIGHUP')
    await this.#restart(pid, signal)
    await this.#untilItAnswers(pid, signal)
    rmSync(this.#options.noteFile, { force: true })
  }

  async #restart(pid: number | undefined, signal: AbortSignal): Promise<void> {
    if (isSystemds()) {
      // A unit that failed too often is not started again before this.
      await runHere(['systemctl', 'reset-failed', 'docker.service'], { timeoutMs: 10_000, signal })
      await mustRun(['systemctl', 'restart', 'docker.service'], { timeoutMs: stopMs + startMs, signal })
      return
    }
    const call = this.#call() ?? this.#noted()
    this.#started = undefined
    if (call !== undefined) writeFileSync(this.#options.noteFile, JSON.stringify(call), { mode: 0o600 })
    if (pid !== undefined) await this.#end(pid, signal)
    if (this.#options.keptBy === 'berth' || call === undefined) return
    this.#start(call)
  }

  async #end(pid: number, signal: AbortSignal): Promise<void> {
    process.kill(pid, 'SIGTERM')
    await until(() => !isDockerd(pid), stopMs, signal, `dockerd (pid ${pid}) does not end`)
  }

  #start(call: Call): void {
    const { argv, env, cwd } = call
    const [program = '', ...args] = argv
    const log = openSync(this.#options.logFile, 'a', 0o600)
    const child = spawn(program, args, { cwd, env, detached: true, stdio: ['ignore', log, log] })
    // The end of one before it may be told only now.
    const started: Started = { call, tries: (this.#started?.tries ?? 0) + 1, hasEnded: false }
    this.#started = started
    const ended = (): void => {
      started.hasEnded = true
    }
    child.once('error', ended)
    child.once('exit', ended)
    child.unref()
  }

  async #untilItAnswers(before: number | undefined, signal: AbortSignal): Promise<void> {
    const answers = async (): Promise<boolean> => {
      this.#startAgain()
      const pid = this.#pid()
      if (pid === undefined || pid === before) return false
      return await this.#options.engine.ping({ signal }).then(
        () => true,
        () => false,
      )
    }
    await until(answers, startMs, signal, 'dockerd does not come up', () => this.#lastWords())
  }

  /** On a busy machine its containerd may not have answered in time. */
  #startAgain(): void {
    if (this.#started?.hasEnded !== true) return
    const { call, tries } = this.#started
    if (tries >= maxStarts)
      throw new BerthError('configuration.dockerd', 'dockerd ends as soon as it is started', {
        details: { logTail: this.#lastWords() },
      })
    this.#start(call)
  }

  #lastWords(): readonly string[] {
    try {
      return readFileSync(this.#options.logFile, 'utf8').trimEnd().split('\n').slice(-10)
    } catch {
      return []
    }
  }

  #pid(): number | undefined {
    try {
      const pid = Number(readFileSync(this.#options.pidFile ?? defaultPidFile, 'utf8').trim())
      return Number.isInteger(pid) && pid > 0 && isDockerd(pid) ? pid : undefined
    } catch {
      return undefined
    }
  }

  #call(): Call | undefined {
    const pid = this.#pid()
    if (pid === undefined) return undefined
    const words = (file: string): string[] =>
      readFileSync(`/proc/${pid}/${file}`, 'utf8')
        .split('\0')
        .filter((each) => each !== '')
    try {
      const env = words('environ').map((each) => [each.slice(0, each.indexOf('=')), each.slice(each.indexOf('=') + 1)])
      const [, ...args] = words('cmdline')
      return {
        argv: [readlinkSync(`/proc/${pid}/exe`).replace(/ \(deleted\)$/, ''), ...args],
        env: Object.fromEntries(env),
        cwd: readlinkSync(`/proc/${pid}/cwd`),
      }
    } catch {
      return undefined
    }
  }

  #noted(): Call | undefined {
    try {
      return JSON.parse(readFileSync(this.#options.noteFile, 'utf8')) as Call
    } catch {
      return undefined
    }
  }
}

const isSystemds = (): boolean =>
  existsSync('/run/systemd/system') &&
  ['/lib', '/usr/lib', '/etc'].some((place) => existsSync(`${place}/systemd/system/docker.service`))

function isDockerd(pid: number): boolean {
  try {
    const [, , state] = /^(\d+) \((.*)\) (\S)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.slice(1) ?? []
    return state !== 'Z' && readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'dockerd'
  } catch {
    return false
  }
}

async function until(
  isSo: () => boolean | Promise<boolean>,
  timeoutMs: number,
  signal: AbortSignal,
  otherwise: string,
  lastWords: () => readonly string[] = () => [],
): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (!(await isSo())) {
    if (performance.now() > deadline)
      throw new BerthError('configuration.dockerd', `${otherwise} within ${timeoutMs / 1000} s`, {
        details: { logTail: lastWords() },
      })
    await delay(lookMs, undefined, { signal })
  }
}
