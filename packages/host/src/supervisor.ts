import { type ChildProcess, spawn } from 'node:child_process'
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { BerthError, messageOf } from '@berth/core'
import { endProcess, identify, isAlive, type ProcessId } from './process-id.ts'

/** One process of the table in `docs/design/overview.md`, in the order of their start. */
export interface SupervisedProcess {
  readonly name: string
  readonly argv: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** How long it may take to end after SIGTERM. */
  readonly stopGraceMs?: number
}

export interface SupervisorOptions {
  readonly processes: readonly SupervisedProcess[]
  readonly logDir: string
  /** Remembers who runs, so that a supervisor that starts again adopts instead of starting twins. */
  readonly stateFile: string
  readonly log: (message: string) => void
  readonly maxLogBytes?: number
  readonly rotateEveryMs?: number
}

interface SupervisorState {
  readonly supervisor?: ProcessId
  readonly processes: Readonly<Record<string, ProcessId>>
}

const firstBackoffMs = 200
const maxBackoffMs = 10_000
/** A process that has run this long starts with the first backoff again. */
const stableMs = 30_000
const pollMs = 250
const defaultRotateEveryMs = 10_000

/**
 * For machines without systemd: keeps processes running, with growing pauses between restarts. Their output goes straight to files,
 * and they lead process groups of their own, so the death of the supervisor touches none of them; the next one adopts them.
 */
export class Supervisor {
  readonly #options: SupervisorOptions
  readonly #ids = new Map<string, ProcessId>()
  /** The state file could not be written (a full disk): what it is to say is in memory only, until there is room. */
  #unsaved = false

  constructor(options: SupervisorOptions) {
    this.#options = options
  }

  /** Runs until the signal aborts, then ends the processes in the reverse order of their start. */
  async run(signal: AbortSignal): Promise<void> {
    const { processes, logDir, rotateEveryMs = defaultRotateEveryMs } = this.#options
    mkdirSync(logDir, { recursive: true, mode: 0o700 })
    const known = this.#load()
    await this.#endStrays(known)
    const keepers = processes.map((each) => this.#keep(each, known.get(each.name), signal))
    this.#save()
    const rotation = setInterval(() => {
      this.#rotate()
      if (this.#unsaved) this.#save()
    }, rotateEveryMs)
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve()
      else signal.addEventListener('abort', () => resolve(), { once: true })
    })
    clearInterval(rotation)
    await Promise.all(keepers)
    for (const each of processes.toReversed()) {
      const id = this.#ids.get(each.name)
      if (id !== undefined) await endProcess(id, each.stopGraceMs ?? 10_000)
    }
    this.#ids.clear()
    this.#save()
  }

  /** What a supervisor before this one has left running, and what is not to run any more. */
  async #endStrays(known: ReadonlyMap<string, ProcessId>): Promise<void> {
    const names = new Set(this.#options.processes.map((each) => each.name))
    const strays = [...known].filter(([name, id]) => !names.has(name) && isAlive(id))
    for (const [name, id] of strays) {
      this.#options.log(`${name} is not to run here any more, ending pid ${id.pid}`)
      await endProcess(id, 10_000)
    }
  }

  async #keep(each: SupervisedProcess, adopted: ProcessId | undefined, signal: AbortSignal): Promise<void> {
    let id = adopted !== undefined && isAlive(adopted) ? adopted : undefined
    if (id !== undefined) this.#options.log(`${each.name} adopted, pid ${id.pid}`)
    let backoffMs = firstBackoffMs
    while (!signal.aborted) {
      const startedAt = performance.now()
      const started = id === undefined ? this.#start(each) : undefined
      id ??= started?.id
      if (id !== undefined) {
        this.#ids.set(each.name, id)
        this.#save()
        await (started === undefined ? untilGone(id, signal) : untilExit(started.child, signal))
      }
      if (signal.aborted) return
      id = undefined
      backoffMs = performance.now() - startedAt > stableMs ? firstBackoffMs : backoffMs
      this.#options.log(`${each.name} has ended${exitOf(started?.child)}; starting it again in ${backoffMs} ms`)
      await pause(backoffMs, signal)
      backoffMs = Math.min(maxBackoffMs, backoffMs * 2)
    }
  }

  #start(each: SupervisedProcess): { child: ChildProcess; id: ProcessId } | undefined {
    const [command = '', ...args] = each.argv
    const output = this.#openLog(each.name)
    try {
      const child = spawn(command, args, {
        detached: true,
        stdio: ['ignore', output, output],
        env: { ...process.env, ...each.env },
      })
      child.on('error', (error) => this.#options.log(`start ${each.name} (${command}): ${error.message}`))
      if (child.pid === undefined) return undefined
      // One that has ended already is waited for like the others, so that its exit code is known; no process starts at tick -1.
      const id = identify(child.pid) ?? { pid: child.pid, startTicks: -1 }
      this.#options.log(`${each.name} started, pid ${id.pid}`)
      return { child, id }
    } finally {
      closeSync(output)
    }
  }

  /** Without its log a process is still better than none: a full disk must not keep it from running. */
  #openLog(name: string): number {
    try {
      return openSync(this.#logFile(name), 'a', 0o600)
    } catch (error) {
      this.#options.log(`open ${this.#logFile(name)}: ${messageOf(error)}; ${name} runs without a log`)
      return openSync('/dev/null', 'a')
    }
  }

  #logFile = (name: string): string => join(this.#options.logDir, `${name}.log`)

  /** The writers have the file open for appending, so it is copied and cut, never moved. */
  #rotate(): void {
    const limit = this.#options.maxLogBytes ?? 64 * 1024 ** 2
    for (const { name } of this.#options.processes) {
      const file = this.#logFile(name)
      try {
        if (statSync(file).size <= limit) continue
        copyFileSync(file, `${file}.1`)
        truncateSync(file)
      } catch (error) {
        this.#options.log(`rotate ${file}: ${(error as Error).message}`)
      }
    }
  }

  /** Throws `host.supervised` when another one is at work: two would start everything twice. */
  #load(): Map<string, ProcessId> {
    const { supervisor, processes } = this.#read()
    if (supervisor !== undefined && supervisor.pid !== process.pid && isAlive(supervisor)) {
      const message = `another supervisor (pid ${supervisor.pid}) is at work here, says ${this.#options.stateFile}`
      throw new BerthError('host.supervised', message)
    }
    return new Map(Object.entries(processes))
  }

  #read(): SupervisorState {
    try {
      return JSON.parse(readFileSync(this.#options.stateFile, 'utf8')) as SupervisorState
    } catch {
      return { processes: {} }
    }
  }

  #save(): void {
    const self = identify(process.pid)
    const temporary = `${this.#options.stateFile}.new`
    try {
      writeFileSync(temporary, JSON.stringify({ supervisor: self, processes: Object.fromEntries(this.#ids) }), {
        mode: 0o600,
      })
      renameSync(temporary, this.#options.stateFile)
      this.#unsaved = false
    } catch (error) {
      if (!this.#unsaved) this.#options.log(`write ${this.#options.stateFile}: ${messageOf(error)}; trying again`)
      this.#unsaved = true
    }
  }
}

const exitOf = (child: ChildProcess | undefined): string => {
  if (child === undefined) return ''
  return child.signalCode === null ? ` with exit code ${child.exitCode}` : ` by ${child.signalCode}`
}

function untilExit(child: ChildProcess, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      child.off('exit', done)
      signal.removeEventListener('abort', done)
      resolve()
    }
    if (child.exitCode !== null || child.signalCode !== null || signal.aborted) return resolve()
    child.once('exit', done)
    signal.addEventListener('abort', done, { once: true })
  })
}

/** An adopted process is nobody's child here, so its end can only be looked for. */
async function untilGone(id: ProcessId, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && isAlive(id)) await pause(pollMs, signal)
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    if (signal.aborted) done()
    else signal.addEventListener('abort', done, { once: true })
  })
}
