import { access, mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { BerthError } from '@berth/core'
import { mirrorAttributes } from './git-environment.ts'
import { CommandTimeoutError, type RunOptions, runCommand } from './run-command.ts'
import { sourceFailure, sourceTimeout } from './source-failure.ts'

export interface GitCall {
  readonly signal?: AbortSignal | undefined
  readonly timeoutMs?: number
  readonly env?: Readonly<Record<string, string>>
  readonly maxOutputBytes?: number
}

const localTimeoutMs = 60_000

/** One bare repository of ours. Writers of it (init, fetch) are serialised by the caller. */
export class GitMirror {
  readonly dir: string
  readonly #env: Readonly<Record<string, string>>

  constructor(dir: string, env: Readonly<Record<string, string>>) {
    this.dir = dir
    this.#env = env
  }

  /** argv and environment for a command that the caller runs itself. */
  command(args: readonly string[]): { argv: string[]; env: Readonly<Record<string, string>> } {
    return { argv: ['git', '-C', this.dir, ...args], env: { ...this.#env, GIT_DIR: this.dir } }
  }

  async exists(): Promise<boolean> {
    return access(join(this.dir, 'HEAD')).then(
      () => true,
      () => false,
    )
  }

  /** Makes the repository if it is not there, and removes what a killed git has left behind. */
  async prepare(signal: AbortSignal | undefined): Promise<void> {
    if (await this.exists()) return this.#removeLeftovers()
    await rm(this.dir, { recursive: true, force: true })
    await mkdir(this.dir, { recursive: true, mode: 0o700 })
    await this.run(['init', '--bare', '--quiet', '--template=', '.'], `make the mirror ${this.dir}`, { signal })
    await mkdir(join(this.dir, 'info'), { recursive: true })
    await writeFile(join(this.dir, 'info', 'attributes'), mirrorAttributes)
  }

  async remove(): Promise<void> {
    await rm(this.dir, { recursive: true, force: true })
  }

  /** Standard output; throws what {@link sourceFailure} makes of a failure. `what` says what is attempted, without secrets. */
  async run(args: readonly string[], what: string, call: GitCall): Promise<Buffer> {
    const { code, stdout, stderr } = await this.attempt(args, what, call)
    if (code !== 0) throw sourceFailure('git', what, stderr)
    return stdout
  }

  async attempt(args: readonly string[], what: string, call: GitCall) {
    const { argv, env } = this.command(args)
    const timeoutMs = call.timeoutMs ?? localTimeoutMs
    const options: RunOptions = { env: { ...env, ...call.env }, signal: call.signal, timeoutMs }
    try {
      return await runCommand(
        argv,
        call.maxOutputBytes === undefined ? options : { ...options, maxOutputBytes: call.maxOutputBytes },
      )
    } catch (error) {
      throw error instanceof CommandTimeoutError ? sourceTimeout(what, timeoutMs) : error
    }
  }

  /** Full id of the commit that the first of the candidates names. */
  async resolve(candidates: readonly string[], suffix: string, call: GitCall): Promise<string | undefined> {
    for (const candidate of candidates) {
      const args = ['rev-parse', '--verify', '--quiet', '--end-of-options', `${candidate}${suffix}^{commit}`]
      const { code, stdout } = await this.attempt(args, `look up ${candidate}`, call)
      if (code === 0) return stdout.toString().trim()
    }
    return undefined
  }

  /** Short names of branches and tags, newest first. */
  async refNames(call: GitCall): Promise<string[]> {
    const args = [
      'for-each-ref',
      '--sort=-creatordate',
      '--count=1000',
      '--format=%(refname:strip=2)',
      'refs/heads',
      'refs/tags',
    ]
    return (await this.run(args, 'list branches', call))
      .toString()
      .split('\n')
      .filter((name) => name !== '')
  }

  /** Locks and half-written packs. No branch, tag or object has such a name. */
  async #removeLeftovers(): Promise<void> {
    const entries = await readdir(this.dir, { recursive: true, withFileTypes: true })
    const isLeftover = (name: string): boolean => name.endsWith('.lock') || /^tmp_(pack|idx|obj|rev)_/.test(name)
    for (const { name, parentPath } of entries.filter((entry) => entry.isFile() && isLeftover(entry.name)))
      await rm(join(parentPath, name), { force: true })
  }
}

/** Signs that the mirror itself is broken, as after a full disk; it can be made again from its repository. */
export const isCorrupt = (error: unknown): boolean =>
  error instanceof BerthError &&
  /object file .* is empty|loose object .* is corrupt|bad object|packfile .* (cannot|could not)|invalid index-pack output|not a git repository: '|unable to parse|corrupt/i.test(
    error.message,
  )
