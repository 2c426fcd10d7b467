import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { pathToFileURL } from 'node:url'

/** A temporary folder that goes when it is disposed of. */
export class Workspace implements Disposable {
  readonly dir = mkdtempSync(join(tmpdir(), 'berth-source-'));

  [Symbol.dispose](): void {
    rmSync(this.dir, { recursive: true, force: true })
  }

  path(...parts: string[]): string {
    return join(this.dir, ...parts)
  }
}

export type Files = Readonly<Record<string, string | { readonly link: string } | { readonly run: string }>>

/** Writes files below a folder; `run` makes an executable one. */
export function writeFiles(dir: string, files: Files): void {
  for (const [name, content] of Object.entries(files)) {
    const path = join(dir, name)
    mkdirSync(dirname(path), { recursive: true })
    if (typeof content === 'string') writeFileSync(path, content)
    else if ('link' in content) symlinkSync(content.link, path)
    else writeFileSync(path, content.run, { mode: 0o755 })
  }
}

const identity = {
  GIT_AUTHOR_NAME: 'Ada',
  GIT_AUTHOR_EMAIL: 'ada@example.com',
  GIT_COMMITTER_NAME: 'Ada',
  GIT_COMMITTER_EMAIL: 'ada@example.com',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
}

/** A repository with a work tree, as a developer has one. */
export class GitRepository {
  readonly dir: string

  constructor(dir: string, files: Files = { 'berth.yaml': 'app: shop\n' }) {
    this.dir = dir
    mkdirSync(dir, { recursive: true })
    this.git('init', '--quiet', '--initial-branch=main')
    if (Object.keys(files).length > 0) this.commit(files, 'first')
  }

  git(...args: string[]): string {
    const env = { ...process.env, ...identity, GIT_ALLOW_PROTOCOL: 'file' }
    return execFileSync('git', args, { cwd: this.dir, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim()
  }

  /** Id of the new commit. */
  commit(files: Files, message: string): string {
    writeFiles(this.dir, files)
    this.git('add', '--all', '--force')
    this.git('commit', '--quiet', '--allow-empty', '--allow-empty-message', '--no-verify', '-m', message)
    return this.git('rev-parse', 'HEAD')
  }
}

export class SvnRepository {
  readonly url: string
  readonly #checkout: string

  constructor(dir: string) {
    mkdirSync(dir, { recursive: true })
    execFileSync('svnadmin', ['create', join(dir, 'repository')])
    this.url = pathToFileURL(join(dir, 'repository')).href
    this.#checkout = join(dir, 'checkout')
    execFileSync('svn', ['checkout', '--quiet', this.url, this.#checkout])
  }

  commit(files: Files, message: string): void {
    writeFiles(this.#checkout, files)
    this.svn('add', '--quiet', '--force', '--no-ignore', '.')
    this.svn('commit', '--quiet', '-m', message, '--username', 'ada')
    this.svn('update', '--quiet', '--ignore-externals')
  }

  svn(...args: string[]): string {
    return execFileSync('svn', args, {
      cwd: this.#checkout,
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C.UTF-8' },
    })
  }
}

/** Names and contents of a tar's files; what is neither file nor folder shows its kind. */
export async function readTar(archive: Readable): Promise<Record<string, string>> {
  const chunks: Buffer[] = []
  for await (const chunk of archive) chunks.push(chunk)
  const extract = (await import('tar-stream')).extract()
  const result: Record<string, string> = {}
  extract.end(Buffer.concat(chunks))
  for await (const entry of extract) {
    const parts: Buffer[] = []
    for await (const part of entry) parts.push(part as Buffer)
    const { name, type, linkname, mode = 0 } = entry.header
    if (type === 'directory') continue
    const kind = type === 'symlink' ? `-> ${linkname}` : Buffer.concat(parts).toString()
    result[name.replace(/^\.\//, '')] = mode & 0o100 && type === 'file' ? `#${mode.toString(8)} ${kind}` : kind
  }
  return result
}
