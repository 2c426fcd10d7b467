import { chmod, mkdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { writeFileAtomic } from '../state/atomic-file.ts'

export const failoverRunDirectory = (runDir: string): string => join(runDir, 'failover')

/** What became of an instance of keepalived last, as keepalived has noted it. */
export interface InstanceNote {
  readonly state: 'MASTER' | 'BACKUP' | 'FAULT' | 'STOP'
  /** Milliseconds since the epoch, to the second. */
  readonly since: number
}

/** What keepalived needs while it runs, in memory: after a boot nothing of it is there, and no address either. */
export class FailoverFiles {
  readonly directory: string
  readonly configuration: string
  readonly next: string
  readonly pidFile: string
  readonly vrrpPidFile: string
  readonly check: string
  readonly note: string

  constructor(directory: string) {
    this.directory = directory
    this.configuration = join(directory, 'keepalived.conf')
    this.next = join(directory, 'next.conf')
    this.pidFile = join(directory, 'pid')
    this.vrrpPidFile = join(directory, 'vrrp.pid')
    this.check = join(directory, 'check')
    this.note = join(directory, 'note')
  }

  /** `port`: the gateway's for HTTP. */
  async prepare(port: number): Promise<void> {
    const notes = this.#notes
    await mkdir(notes, { recursive: true, mode: 0o700 })
    await chmod(this.directory, 0o700)
    for (const [path, text] of [
      [this.check, checkScript(port)],
      [this.note, noteScript(notes)],
    ] as const)
      if ((await readFile(path, 'utf8').catch(() => undefined)) !== text) await writeFileAtomic(path, text)
  }

  /** The one in force; undefined: there is none. */
  current(): Promise<string | undefined> {
    return readFile(this.configuration, 'utf8').catch(() => undefined)
  }

  async offer(text: string): Promise<void> {
    await writeFileAtomic(this.next, text)
  }

  /** What was offered is the one in force. */
  async take(): Promise<void> {
    await rename(this.next, this.configuration)
  }

  async noteOf(instance: string): Promise<InstanceNote | undefined> {
    const text = await readFile(join(this.#notes, instance), 'utf8').catch(() => '')
    const [, state, seconds] = /^(MASTER|BACKUP|FAULT|STOP) (\d+)\n$/.exec(text) ?? []
    if (state === undefined) return undefined
    return { state: state as InstanceNote['state'], since: Number(seconds) * 1000 }
  }

  /** Of a process that is no more: keepalived would take a number that somebody else has by now for its own. */
  async removePids(): Promise<void> {
    await rm(this.pidFile, { force: true })
    await rm(this.vrrpPidFile, { force: true })
  }

  async remove(): Promise<void> {
    await rm(this.directory, { recursive: true, force: true })
  }

  get #notes(): string {
    return join(this.directory, 'notes')
  }
}

/** A request that nginx answers by itself, whatever its routes: it names no host, and HTTP/1.1 wants one. */
const checkScript = (port: number): string => `# Made by Berth. Ends well while the gateway of this node answers.
exec 2>/dev/null
exec 3<>/dev/tcp/127.0.0.1/${port} || exit 1
printf 'GET / HTTP/1.1\\r\\nConnection: close\\r\\n\\r\\n' >&3 || exit 1
read -r -t 2 answer <&3 && [[ $answer == HTTP/* ]]
`

const noteScript = (directory: string): string => `# Made by Berth. Notes what became of an instance, and when.
[[ $2 == */* ]] || printf '%s %(%s)T\\n' "$3" -1 >'${directory}/'"$2"
`
