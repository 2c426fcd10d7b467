import { spawn } from 'node:child_process'
import { isAbsolute, resolve } from 'node:path'
import { BerthError } from '@berth/core'
import type { CommandContext } from './command-context.ts'
import { findLocalApp } from './target.ts'

/** Where a build's commit comes from; absent fields stay as the server knows them. */
export interface Source {
  readonly repository?: string
  readonly vcs?: 'git' | 'svn'
  readonly ref?: string
}

export interface SourceOptions {
  readonly repository?: string
  readonly svn?: boolean
  readonly ref?: string
}

/**
 * What was said, or the work tree around the working directory when it is this app's. A server on another machine cannot read a work
 * tree here, so its commit travels as a git bundle.
 */
export async function sourceOf(context: CommandContext, app: string, options: SourceOptions): Promise<Source> {
  const base: Source = {
    ...(options.ref === undefined ? {} : { ref: options.ref }),
    ...(options.svn === true ? { vcs: 'svn' } : {}),
  }
  if (options.repository !== undefined) return { ...base, repository: expandPath(options.repository) }
  const local = findLocalApp()
  if (local?.app !== app) return base
  if (options.svn === true) return { ...base, repository: await svnUrl(local.dir, context.signal) }
  const top = await git(local.dir, ['rev-parse', '--show-toplevel'], context.signal).catch(() => undefined)
  if (top === undefined) {
    throw new BerthError(
      'source.not-a-repository',
      `${local.dir} is not in a git repository: Berth builds commits; run git init && git add -A && git commit, or give --repository`,
    )
  }
  const ref = options.ref ?? (await headOf(top, context))
  await warnOfChanges(top, context)
  if (await isReadByServer(context)) return { ...base, repository: top, ref }
  return { ...base, repository: await upload(context, app, top), ref }
}

/** A server on this machine reads the work tree, unless another one of its cluster may have to. */
async function isReadByServer({ client, servers, signal }: CommandContext): Promise<boolean> {
  if (servers.endpoints[0]?.type !== 'socket') return false
  const { items } = await client.list('listServers', {}, { signal })
  return items.length < 2
}

async function headOf(top: string, context: CommandContext): Promise<string> {
  try {
    return await git(top, ['rev-parse', 'HEAD'], context.signal)
  } catch {
    throw new BerthError('source.no-commit', `${top} has no commit yet; run git add -A && git commit first`)
  }
}

async function warnOfChanges(top: string, { out, signal }: CommandContext): Promise<void> {
  const changes = await git(top, ['status', '--porcelain'], signal)
  if (changes === '') return
  const count = changes.split('\n').length
  out.note(
    `${out.style.yellow('!')} ${count} uncommitted ${count === 1 ? 'change is' : 'changes are'} not part of what is built (berth builds commits)`,
  )
}

/** A URL stays; `git@host:path` too; anything else is a path from here. */
const expandPath = (text: string): string =>
  /^[a-z+]+:\/\//.test(text) || /^[\w.-]+@[\w.-]+:/.test(text) || isAbsolute(text) ? text : resolve(text)

async function upload({ client, signal }: CommandContext, app: string, top: string): Promise<string> {
  const bundle = spawn('git', ['bundle', 'create', '-', 'HEAD', '--all'], {
    cwd: top,
    stdio: ['ignore', 'pipe', 'ignore'],
    signal,
  })
  const { repository } = await client.upload('uploadSource', { params: { app }, content: bundle.stdout }, { signal })
  return repository
}

const svnUrl = async (dir: string, signal: AbortSignal): Promise<string> =>
  output('svn', ['info', '--show-item', 'url', '--no-newline', dir], dir, signal)

const git = (dir: string, args: readonly string[], signal: AbortSignal): Promise<string> =>
  output('git', args, dir, signal)

function output(command: string, args: readonly string[], cwd: string, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'], signal })
    const text: Buffer[] = []
    const errors: Buffer[] = []
    child.stdout.on('data', (chunk) => text.push(chunk))
    child.stderr.on('data', (chunk) => errors.push(chunk))
    child.once('error', (error) =>
      reject(new BerthError('source.no-client', `run ${command}: ${error.message}; install ${command}`)),
    )
    child.once('close', (code) => {
      if (code === 0) resolve(Buffer.concat(text).toString().trim())
      else
        reject(
          new BerthError('source.client-failed', `${command} ${args[0]}: ${Buffer.concat(errors).toString().trim()}`),
        )
    })
  })
}
