import { createHash } from 'node:crypto'
import { chmod, chown, constants, lchown, lstat, mkdir, open, readFile, rm, statfs, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { type Assignment, BerthError, messageOf, type NetworkConfig, searchList } from '@berth/core'
import type { Logger } from 'pino'
import { resolvConfFor } from '../dns/resolv-conf.ts'
import { mustRun, runCommand } from '../network/run-command.ts'
import { EndedFiles } from './ended-files.ts'

export interface FileOwner {
  readonly uid: number
  readonly gid: number
}

export interface RuntimeFilesOptions {
  /** Berth's state directory. */
  readonly stateDir: string
  /** Lost at a reboot: `/run/berth`. */
  readonly runDir: string
  readonly log: Logger
  /** How long what instances left in `/persist` is kept. */
  readonly keepEndedMs: number
}

type Resolving = Pick<NetworkConfig, 'domain' | 'searchDomains'>

const tmpfsMagic = 0x01021994
const mountSource = 'berth-secrets'

/**
 * The files of instances on the host. Secrets lie in memory only (`<run>/secrets`), configuration and `/persist` on disk. All of it is
 * below directories that only root may enter; the files themselves belong to the container's user.
 */
export class RuntimeFiles {
  readonly ended: EndedFiles
  readonly #stateDir: string
  readonly #secretsDir: string
  readonly #socketsDir: string
  readonly #log: Logger
  #resolving: Resolving = { domain: 'berth' }
  #tail: Promise<void> = Promise.resolve()

  constructor({ stateDir, runDir, log, keepEndedMs: keepMs }: RuntimeFilesOptions) {
    this.#stateDir = stateDir
    this.#secretsDir = join(runDir, 'secrets')
    this.#socketsDir = join(runDir, 'sockets')
    this.#log = log
    this.ended = new EndedFiles({ persistDir: join(stateDir, 'persist'), keepMs, log })
  }

  /** Makes sure that secrets never touch a disk: mounts a tmpfs unless the directory is on one already. */
  async open(): Promise<void> {
    await mkdir(join(this.#stateDir, 'persist'), { recursive: true, mode: 0o700 })
    await mkdir(join(this.#stateDir, 'agent', 'config'), { recursive: true, mode: 0o700 })
    // nginx's workers have to get through to the gateway's files; what is secret here has a mode of its own.
    await chmod(join(this.#stateDir, 'agent'), 0o711)
    await mkdir(this.#secretsDir, { recursive: true, mode: 0o700 })
    // Anybody may use a socket in a directory below: only who is in the container gets there.
    await mkdir(this.#socketsDir, { recursive: true, mode: 0o700 })
    if ((await statfs(this.#secretsDir)).type === tmpfsMagic) return
    const options = 'mode=0700,nosuid,nodev,noexec,size=64m'
    const outcome = await runCommand('mount', ['-t', 'tmpfs', '-o', options, mountSource, this.#secretsDir], {})
    if (outcome.code === 0) return
    throw new BerthError(
      'agent.no-tmpfs',
      `mount a tmpfs for secrets at ${this.#secretsDir}: ${outcome.stderr.trim()}; the agent must run as root`,
    )
  }

  /** Forgets every secret. A tmpfs that was there before the agent stays. */
  async unmount(): Promise<void> {
    const mounts = await readFile('/proc/self/mounts', 'utf8')
    if (mounts.includes(`${mountSource} ${this.#secretsDir} `)) await mustRun(runCommand, 'umount', [this.#secretsDir])
  }

  secretsOf(instance: string): string {
    return join(this.#secretsDir, instance)
  }

  /** Holds its socket. Short, whatever the instance is called: a socket's path has 107 bytes at most. */
  socketDirectoryOf(instance: string): string {
    return join(this.#socketsDir, createHash('sha256').update(instance).digest('hex').slice(0, 16))
  }

  configOf(instance: string, index: number): string {
    return join(this.#configDir(instance), String(index))
  }

  persistOf(assignment: Pick<Assignment, 'app' | 'pool' | 'entrypoint' | 'ordinal'>): string {
    const { app, pool, entrypoint, ordinal } = assignment
    return join(this.#stateDir, 'persist', app, pool, `${entrypoint}-${ordinal}`)
  }

  /** The id of the instance whose directory it would be. */
  instanceOf(persist: string): string {
    return relative(join(this.#stateDir, 'persist'), persist).replaceAll('/', '.')
  }

  /** What containers have that a version before has made: names are asked there as they are written. */
  get resolvConf(): string {
    return join(this.#stateDir, 'agent', 'resolv.conf')
  }

  resolvConfOf(instance: string): string {
    return join(this.#configDir(instance), 'resolv.conf')
  }

  /** What the engine wants to find when it creates the container: the sources of its mounts. */
  async makeSources(assignment: Assignment): Promise<void> {
    if (assignment.secrets.length > 0) await mkdir(this.secretsOf(assignment.instance), { recursive: true })
    await this.#writeConfig(assignment)
    if (assignment.socket !== undefined) await mkdir(this.socketDirectoryOf(assignment.instance), { recursive: true })
    await this.#inTurn(() => this.#writeResolvConfOf(assignment))
    await mkdir(join(this.persistOf(assignment), 'logs'), { recursive: true })
  }

  /** Before every start: after a reboot secrets are gone, and the owner is known only now. */
  async fill(assignment: Assignment, owner: FileOwner | undefined): Promise<void> {
    const persist = this.persistOf(assignment)
    if (owner !== undefined && owner.uid !== 0) await this.#handOver([persist, join(persist, 'logs')], owner)
    for (const { file, value } of assignment.secrets) {
      const path = join(this.secretsOf(assignment.instance), file)
      // Without a known owner it is readable by whoever is in the container; nobody else gets through the directories above.
      await replaceFile(path, value, owner === undefined ? 0o444 : 0o400)
      if (owner !== undefined) await chown(path, owner.uid, owner.gid)
    }
  }

  async hasSecrets(instance: string): Promise<boolean> {
    return (await lstat(this.secretsOf(instance)).catch(() => undefined)) !== undefined
  }

  /** What is said of names from now on: to instances that start, and to those that are there. */
  async setResolving(resolving: Resolving, assignments: readonly Assignment[]): Promise<void> {
    this.#resolving = resolving
    await this.#inTurn(async () => {
      await writeInPlace(this.resolvConf, resolvConfFor(resolving))
      for (const each of assignments)
        if (await isThere(this.resolvConfOf(each.instance))) await this.#writeResolvConfOf(each)
    })
  }

  /** Everything; what the instance left in `/persist` is set aside. */
  async remove(assignment: Assignment): Promise<void> {
    const { instance } = assignment
    await rm(this.secretsOf(instance), { recursive: true, force: true })
    await rm(this.#configDir(instance), { recursive: true, force: true })
    await rm(this.socketDirectoryOf(instance), { recursive: true, force: true })
    try {
      await this.ended.setAside(this.persistOf(assignment))
    } catch (error) {
      // A full disk must not keep an instance from its end; the next collection tries again.
      this.#log.warn({ instance, reason: messageOf(error) }, 'what it left in /persist stays where it is for now')
    }
  }

  async #writeResolvConfOf(assignment: Assignment): Promise<void> {
    await mkdir(this.#configDir(assignment.instance), { recursive: true })
    const search = searchList(assignment, this.#resolving)
    await writeInPlace(this.resolvConfOf(assignment.instance), resolvConfFor(this.#resolving, search))
  }

  /** So that what was said last is what stands there. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#tail.then(work)
    this.#tail = turn.catch(() => undefined)
    return turn
  }

  #configDir(instance: string): string {
    return join(this.#stateDir, 'agent', 'config', instance)
  }

  async #writeConfig({ instance, config }: Assignment): Promise<void> {
    if (config.length === 0) return
    await mkdir(this.#configDir(instance), { recursive: true })
    for (const [index, file] of config.entries()) {
      const path = this.configOf(instance, index)
      // A label, from which an assignment may have been rebuilt, has no contents; the files written at first are still here.
      if (file.content === '' && (await lstat(path).catch(() => undefined)) !== undefined) continue
      await replaceFile(path, file.content, file.mode)
    }
  }

  /** Only while they are still root's: what the instance has made of its directory later is its own affair. */
  async #handOver(directories: readonly string[], owner: FileOwner): Promise<void> {
    for (const directory of directories) {
      const found = await lstat(directory)
      // The instance may have put a link there.
      if (found.isDirectory() && found.uid === 0) await lchown(directory, owner.uid, owner.gid)
    }
  }
}

const isThere = async (path: string): Promise<boolean> => (await lstat(path).catch(() => undefined)) !== undefined

/** Running containers have this very file mounted. Never cut first: on a full disk they would be left with an empty one. */
async function writeInPlace(path: string, content: string): Promise<void> {
  const found = await readFile(path, 'utf8').catch(() => undefined)
  if (found === content) return
  await using file = await open(path, constants.O_RDWR | constants.O_CREAT, 0o644)
  const bytes = Buffer.from(content)
  for (let at = 0; at < bytes.length; ) {
    at += (await file.write(bytes, at, bytes.length - at, at)).bytesWritten
  }
  await file.truncate(bytes.length)
}

/** Removes first, so that no link is followed; sets the mode apart from the process's umask. */
async function replaceFile(path: string, content: string, mode: number): Promise<void> {
  await rm(path, { force: true })
  await writeFile(path, content, { mode: mode & 0o700, flag: 'wx' })
  await chmod(path, mode)
}
