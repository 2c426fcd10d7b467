import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { lstat, readdir, readFile, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { shortCommit } from '@berth/core'
import { pack } from 'tar-stream'
import type { SourceCommit, SourceFile, SourceStore } from '../source/source-store.ts'

interface CallOptions {
  readonly signal?: AbortSignal | undefined
}

/** A folder that may hold a level, wherever it is. Paths are relative to it. */
export interface LevelFolder {
  /** For messages: `berth/levels/node of the repository`. */
  readonly where: string
  /** Every file below it; none when it is not there. */
  list(options: CallOptions): Promise<SourceFile[]>
  readFile(path: string, options: CallOptions): Promise<string | undefined>
  /** A tar of one folder in it. */
  archive(folder: string, options: CallOptions): Readable
}

export const repositoryFolder = (sources: SourceStore, at: SourceCommit, folder: string): LevelFolder => ({
  where: `${folder} of the repository at ${shortCommit(at.commit)}`,
  list: (options) => sources.list(at, folder, options),
  readFile: (path, options) => sources.readFile(at, `${folder}/${path}`, options),
  archive: (inner, options) => sources.archive(at, { folder: `${folder}/${inner}`, ...options }),
})

/** A folder of the server's disk; its owner is the server's administrator. */
export const diskFolder = (dir: string): LevelFolder => ({
  where: dir,
  list: () => listDisk(dir),
  readFile: async (path) => readFile(join(dir, path), 'utf8').catch(ignoreMissing),
  archive: (folder) => Readable.from(packDisk(join(dir, folder)), { objectMode: false }),
})

async function listDisk(dir: string): Promise<SourceFile[]> {
  const files: SourceFile[] = []
  for (const path of await filesBelow(dir)) {
    const found = await lstat(join(dir, path))
    const digest = createHash('sha256')
    if (found.isSymbolicLink()) digest.update(await readlink(join(dir, path)))
    else await pipeline(createReadStream(join(dir, path)), digest)
    const mode = found.isSymbolicLink() ? 0o120000 : found.mode & 0o777
    files.push({ path, mode, digest: digest.digest('hex') })
  }
  return files
}

/** Regular files and symbolic links, sorted, so that equal folders give equal lists. */
async function filesBelow(dir: string, prefix = ''): Promise<string[]> {
  const entries = (await readdir(join(dir, prefix), { withFileTypes: true }).catch(ignoreMissing)) ?? []
  const paths: string[] = []
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = prefix === '' ? entry.name : `${prefix}/${entry.name}`
    if (entry.isDirectory()) paths.push(...(await filesBelow(dir, path)))
    else if (entry.isFile() || entry.isSymbolicLink()) paths.push(path)
  }
  return paths
}

async function* packDisk(dir: string): AsyncGenerator<Uint8Array> {
  const tar = pack()
  const writing = writeAll(dir, tar).catch((error: Error) => tar.destroy(error))
  yield* tar as unknown as AsyncIterable<Uint8Array>
  await writing
}

async function writeAll(dir: string, tar: ReturnType<typeof pack>): Promise<void> {
  for (const path of await filesBelow(dir)) {
    const file = join(dir, path)
    const found = await lstat(file)
    const header = { name: path, mtime: new Date(0) }
    if (found.isSymbolicLink()) tar.entry({ ...header, type: 'symlink', linkname: await readlink(file) })
    else await pipeline(createReadStream(file), tar.entry({ ...header, size: found.size, mode: found.mode & 0o777 }))
  }
  tar.finalize()
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR' || error.code === 'EISDIR') return undefined
  throw error
}
