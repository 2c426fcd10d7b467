import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import { BerthError } from '@berth/core'
import { minimalEnvironment } from './command.ts'
import { answersPing } from './docker-api.ts'
import type { Cancellable, LabHost } from './lab.ts'
import { commandName, sendSignal } from './process-table.ts'
import { waitFor } from './wait-for.ts'

/** What every host's dockerd is told, unless its HostOptions say otherwise. */
const BASE_CONFIG = { 'live-restore': true, 'exec-opts': ['native.cgroupdriver=cgroupfs'] }

export async function writeDaemonConfig(hostDir: string, extra: Readonly<Record<string, unknown>>): Promise<void> {
  const directory = join(hostDir, 'etc', 'docker')
  await mkdir(directory, { recursive: true })
  await writeFile(join(directory, 'daemon.json'), `${JSON.stringify({ ...BASE_CONFIG, ...extra }, null, 2)}\n`)
}

/**
 * The dockerd of a host, at Docker's standard paths there; it starts its own containerd. Which process it is is always read from its pid
 * file, so that another process than the one that started it can stop it.
 */
export class Dockerd {
  readonly #host: LabHost
  readonly #path: string | null

  constructor(host: LabHost, path: string | null) {
    this.#host = host
    this.#path = path
  }

  async start({ signal }: Cancellable = {}): Promise<void> {
    const host = this.#host
    if (await answersPing(host.dockerHost, signal)) return
    await this.#removeStalePidFiles()
    const logFile = join(host.dir, 'log', 'dockerd.log')
    const logStart = await stat(logFile).then(
      (found) => found.size,
      () => 0,
    )
    const process = await host.spawn([this.#path ?? 'dockerd'], { env: this.#environment(), logFile })
    let end: string | undefined
    void process.exited.then(({ code, signal: by }) => {
      end = `it ended (${by ?? `exit code ${code}`})`
    })
    await waitFor(async () => (await answersPing(host.dockerHost, signal)) || end !== undefined, {
      what: `dockerd of host ${host.name} to answer`,
      deadlineMs: 60_000,
      signal,
      explain: () => lastLines(logFile, logStart),
    })
    if (end === undefined) return
    throw new BerthError(
      'lab.dockerd',
      `start dockerd on host ${host.name}: ${end}: ${await lastLines(logFile, logStart)}`,
    )
  }

  async kill(how: NodeJS.Signals, { signal }: Cancellable = {}): Promise<void> {
    const pid = await this.#pid()
    if (pid === undefined) return
    sendSignal(pid, how)
    await waitFor(() => commandName(pid) !== 'dockerd', {
      what: `dockerd of host ${this.#host.name} to end after ${how}`,
      deadlineMs: 60_000,
      signal,
    })
  }

  async #pid(): Promise<number | undefined> {
    const pidInHost = await readPid(join(this.#host.dir, 'run', 'docker.pid'))
    const pid = pidInHost === undefined ? undefined : await this.#host.outerPid(pidInHost)
    return pid !== undefined && commandName(pid) === 'dockerd' ? pid : undefined
  }

  /** After a kill the files stay; dockerd refuses to start when some process has got that id since, and waits for a containerd that is none. */
  async #removeStalePidFiles(): Promise<void> {
    for (const [file, command] of PID_FILES) {
      const path = join(this.#host.dir, 'run', file)
      const pidInHost = await readPid(path)
      const pid = pidInHost === undefined ? undefined : await this.#host.outerPid(pidInHost)
      if (pid === undefined || commandName(pid) !== command) await rm(path, { force: true })
    }
  }

  #environment(): Record<string, string> {
    const { PATH = '' } = minimalEnvironment()
    return { PATH: this.#path === null ? PATH : `${dirname(this.#path)}${delimiter}${PATH}` }
  }
}

const PID_FILES = [
  ['docker.pid', 'dockerd'],
  ['docker/containerd/containerd.pid', 'containerd'],
] as const

const readPid = async (file: string): Promise<number | undefined> => {
  const text = await readFile(file, 'utf8').catch(() => '')
  const pid = Number(text.trim())
  return Number.isInteger(pid) && pid > 0 ? pid : undefined
}

/** The end of what was logged since the start, for an error's message. */
const lastLines = async (file: string, from: number): Promise<string> => {
  const bytes = await readFile(file).catch(() => Buffer.alloc(0))
  return bytes.subarray(from).toString('utf8').trim().split('\n').slice(-5).join('\n')
}
