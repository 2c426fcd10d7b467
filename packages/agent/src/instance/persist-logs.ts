import { ftruncateSync, readSync, type Stats, writeSync } from 'node:fs'
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
 * cut to nothing in place, since whoever writes it has it open. The copy goes on until nothing is left to read, and the cut follows in the
 * same breath: what is written between these two calls of the system, some microseconds apart, is lost. Returns the names of the files that
 * were cut.
 *
 * The directory belongs to the container, which may put links there that point anywhere on the host: it is opened once, every name is
 * looked up below that handle, and no link is followed.
 */
export async function rotateLogs(directory: string, limits: LogLimits): Promise<readonly string[]> {
  await using handle = await openUnlinked(directory, O_DIRECTORY)
  if (handle === undefined) return []
  const root = `/proc/self/fd/${handle.fd}`
  const rotated: string[] = []
  for (const name of await readdir(root)) {
    if (!moved.test(name) && (await rotate(root, name, limits))) rotated.push(name)
  }
  return rotated
}

async function rotate(root: string, name: string, limits: LogLimits): Promise<boolean> {
  const path = join(root, name)
  await using file = await openUnlinked(path, O_RDWR | O_NONBLOCK)
  if (file === undefined) return false
  const found = await file.stat()
  // A writer that does not append goes on where it was: what was cut off is a hole then, and no content.
  const contentBytes = Math.min(found.size, found.blocks * blockBytes + found.blksize)
  if (!found.isFile() || contentBytes <= limits.maxBytes) return false
  if (limits.maxFiles === 1) await file.truncate(0)
  else await moveAside(file, path, found, contentBytes, limits)
  return true
}

async function moveAside(
  file: FileHandle,
  path: string,
  found: Stats,
  contentBytes: number,
  { maxBytes, maxFiles }: LogLimits,
): Promise<void> {
  for (let number = maxFiles - 1; number > 1; number -= 1) await moveUp(path, number - 1)
  await rm(`${path}.1`, { force: true })
  // One that grew without bound since the last look is not kept whole: its owner has said how much there may be.
  const keptBytes = Math.min(contentBytes, maxBytes * (maxFiles - 1))
  try {
    await using copy = await open(`${path}.1`, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, found.mode & 0o777)
    await copy.chown(found.uid, found.gid)
    await copyAndCut(file, copy, found.size - keptBytes)
  } catch (error) {
    // A full disk must not keep the very file growing that has filled it.
    await rm(`${path}.1`, { force: true })
    await file.truncate(0)
    throw error
  }
}

const chunkBytes = 64 * 1024
const blockBytes = 512
/** A writer as fast as the disk is not run after for ever. */
const maxSyncChunks = 64

/** Nothing of this process comes between the last, empty read and the cut. */
async function copyAndCut(from: FileHandle, to: FileHandle, start: number): Promise<void> {
  const buffer = Buffer.allocUnsafe(chunkBytes)
  let position = start
  for (;;) {
    const { bytesRead } = await from.read(buffer, 0, chunkBytes, position)
    await to.writeFile(buffer.subarray(0, bytesRead))
    position += bytesRead
    if (bytesRead < chunkBytes) break
  }
  for (let chunk = 0; chunk < maxSyncChunks; chunk += 1) {
    const bytesRead = readSync(from.fd, buffer, 0, chunkBytes, position)
    if (bytesRead === 0) break
    writeSync(to.fd, buffer, 0, bytesRead)
    position += bytesRead
  }
  ftruncateSync(from.fd, 0)
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
