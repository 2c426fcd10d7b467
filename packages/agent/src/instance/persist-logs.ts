import { constants, type FileHandle, open, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'

export interface LogLimits {
  readonly maxBytes: number
  /** The file itself and what was moved aside, together. */
  readonly maxFiles: number
}

const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDWR, O_WRONLY, O_CREAT, O_EXCL } = constants
const moved = /\.\d+$/

/**
 * Keeps the files of a log directory within their limits: a file that has grown too long is copied to `<file>.1` (`.1` to `.2`, …) and
 * cut to nothing in place, since whoever writes it has it open. What is written between copy and cut is lost, as with logrotate's
 * `copytruncate`. Returns the names of the files that were cut.
 *
 * The directory belongs to the container, which may put links there that point anywhere on the host: it is opened once, every name is
 * looked up below that handle, and no link is followed.
 */
export async function rotateLogs(directory: string, { maxBytes, maxFiles }: LogLimits): Promise<readonly string[]> {
  await using handle = await openUnlinked(directory, O_DIRECTORY)
  if (handle === undefined) return []
  const root = `/proc/self/fd/${handle.fd}`
  const rotated: string[] = []
  for (const name of await readdir(root)) {
    if (!moved.test(name) && (await rotate(root, name, maxBytes, maxFiles))) rotated.push(name)
  }
  return rotated
}

async function rotate(root: string, name: string, maxBytes: number, maxFiles: number): Promise<boolean> {
  const path = join(root, name)
  await using file = await openUnlinked(path, O_RDWR | O_NONBLOCK)
  if (file === undefined) return false
  const found = await file.stat()
  if (!found.isFile() || found.size <= maxBytes) return false
  if (maxFiles > 1) {
    for (let number = maxFiles - 1; number > 1; number -= 1) await moveUp(path, number - 1)
    await rm(`${path}.1`, { force: true })
    await using copy = await open(`${path}.1`, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, found.mode & 0o777)
    await copy.chown(found.uid, found.gid)
    await copyBytes(file, copy, found.size)
  }
  await file.truncate(0)
  return true
}

const chunkBytes = 64 * 1024

async function copyBytes(from: FileHandle, to: FileHandle, size: number): Promise<void> {
  const buffer = Buffer.allocUnsafe(chunkBytes)
  for (let position = 0; position < size; ) {
    const { bytesRead } = await from.read(buffer, 0, Math.min(chunkBytes, size - position), position)
    if (bytesRead === 0) return
    await to.writeFile(buffer.subarray(0, bytesRead))
    position += bytesRead
  }
}

/** `<file>.1` becomes `<file>.2`. */
async function moveUp(path: string, number: number): Promise<void> {
  await rename(`${path}.${number}`, `${path}.${number + 1}`).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
  })
}

/** undefined for what is not there, is a link, or is no file that can be opened so. */
async function openUnlinked(path: string, flags: number): Promise<FileHandle | undefined> {
  try {
    return await open(path, flags | O_NOFOLLOW)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ELOOP' || code === 'ENOTDIR' || code === 'ENXIO' || code === 'EISDIR')
      return undefined
    throw error
  }
}
