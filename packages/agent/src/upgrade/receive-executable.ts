import { execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { chmod, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { BerthError, messageOf } from '@berth/core'
import { writeFileAtomic } from '../state/atomic-file.ts'

/** What an upgrade is from and to; `agent/upgrade.json`, which the process that carries it out takes over. */
export interface UpgradeNote {
  readonly state: 'prepared' | 'switching' | 'done' | 'rolled-back'
  readonly from: string
  readonly to: string
  readonly sha256: string
  readonly at: number
  /** Why it was rolled back. */
  readonly why?: string
}

export const upgradeNoteName = 'upgrade.json'

export interface OfferedExecutable {
  readonly version: string
  readonly sha256: string
}

export interface ReceiverOptions {
  /** How this program is called; one file, or it cannot be replaced. */
  readonly program: readonly string[]
  readonly version: string
  /** The agent's folder. */
  readonly directory: string
  /** Of the process that carries the upgrade out. */
  readonly upgradeArguments: readonly string[]
  readonly logFile: string
}

const askVersionMs = 30_000

/**
 * Takes another executable for this node, and has it put in place by a process that outlives the agent. False when it is the one that
 * runs already. Throws `upgrade.no-executable`, `upgrade.damaged`, `upgrade.not-runnable`, `upgrade.running`, `upgrade.not-written`.
 */
export class ExecutableReceiver {
  readonly #options: ReceiverOptions
  #isBusy = false

  constructor(options: ReceiverOptions) {
    this.#options = options
  }

  async receive(offered: OfferedExecutable, body: Readable, signal: AbortSignal): Promise<boolean> {
    const [program = '', ...more] = this.#options.program
    if (more.length > 0 || program === '')
      throw new BerthError(
        'upgrade.no-executable',
        'upgrade this node: its agent runs from sources and not from the executable',
      )
    if (this.#isBusy)
      throw new BerthError('upgrade.running', 'upgrade this node: an upgrade is under way', { retryable: true })
    this.#isBusy = true
    try {
      if (offered.version === this.#options.version && (await sha256Of(program)) === offered.sha256) return false
      await this.#take(`${program}.new`, offered, body, signal)
      await this.#start(offered)
      return true
    } finally {
      this.#isBusy = false
    }
  }

  async #take(path: string, offered: OfferedExecutable, body: Readable, signal: AbortSignal): Promise<void> {
    try {
      const hash = await write(path, body, signal)
      if (hash !== offered.sha256)
        throw new BerthError(
          'upgrade.damaged',
          `upgrade this node: what arrived has the SHA-256 ${hash}, not ${offered.sha256}`,
          { retryable: true },
        )
      await chmod(path, 0o755)
      await requireVersion(path, offered.version)
    } catch (error) {
      await rm(path, { force: true })
      signal.throwIfAborted()
      if (error instanceof BerthError) throw error
      throw new BerthError(
        'upgrade.not-written',
        `upgrade this node: write ${path}: ${messageOf(error)}; make room and repeat it`,
      )
    }
  }

  async #start({ version, sha256 }: OfferedExecutable): Promise<void> {
    const { program, directory, upgradeArguments, logFile, version: from } = this.#options
    const note: UpgradeNote = { state: 'prepared', from, to: version, sha256, at: Date.now() }
    await writeFileAtomic(join(directory, upgradeNoteName), JSON.stringify(note))
    await using log = await open(logFile, 'a', 0o600)
    const child = spawn(program[0] ?? '', [...upgradeArguments], {
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
      cwd: '/',
    })
    await new Promise<void>((resolve, reject) => child.once('spawn', resolve).once('error', reject))
    child.unref()
  }
}

async function write(path: string, body: Readable, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  await using file = await open(path, 'w', 0o600)
  for await (const chunk of body) {
    signal.throwIfAborted()
    hash.update(chunk as Buffer)
    await file.writeFile(chunk as Buffer)
  }
  await file.datasync()
  return hash.digest('hex')
}

/** It runs here, and is what it was said to be: the one of another architecture does not, and a mixed-up one says so. */
function requireVersion(path: string, wanted: string): Promise<void> {
  return new Promise((resolve, reject) => {
    execFile(path, ['--version'], { timeout: askVersionMs }, (error, stdout) => {
      const found = stdout.trim()
      if (error === null && found === wanted) return resolve()
      const why =
        error === null
          ? `it says that its version is ${JSON.stringify(found.slice(0, 40))}, not ${wanted}`
          : `it does not run here (${error.message.split('\n')[0]})`
      reject(
        new BerthError(
          'upgrade.not-runnable',
          `upgrade this node: ${why}; bring one that was built for it: berth node add --executable FILE`,
        ),
      )
    })
  })
}

async function sha256Of(path: string): Promise<string | undefined> {
  const hash = createHash('sha256')
  try {
    for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer)
    return hash.digest('hex')
  } catch {
    return undefined
  }
}
