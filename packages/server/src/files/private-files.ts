import { randomBytes } from 'node:crypto'
import { chmod, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { BerthError, messageOf } from '@berth/core'

/** Makes a folder that only the owner may enter, also when it was there with a wider mode. */
export async function makePrivateDirectory(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 })
  await chmod(path, 0o700)
}

/** Replaces a file in one step, with mode 0600; it is on disk when this returns. Throws `file.cannot-write`. */
export async function writePrivateFile(path: string, content: string): Promise<void> {
  try {
    await replaceFile(path, content)
  } catch (cause) {
    // Without what differs each time (the name of a temporary file), so that who tells problems once can tell that it is the same one.
    const [reason] = messageOf(cause).split(',', 1)
    throw new BerthError('file.cannot-write', `write ${path}: ${reason}`, { cause, details: { path } })
  }
}

async function replaceFile(path: string, content: string): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.new`
  try {
    const file = await open(temporary, 'wx', 0o600)
    try {
      await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  await syncDirectory(dirname(path))
}

/** The file's text, or undefined when there is none. Throws `file.too-open` when others may read it. */
export async function readPrivateFile(path: string): Promise<string | undefined> {
  try {
    const { mode } = await stat(path)
    if ((mode & 0o077) !== 0) {
      throw new BerthError(
        'file.too-open',
        `read ${path}: its mode ${(mode & 0o777).toString(8)} lets others read a key; run chmod 600 ${path} and, if others had access, make a new key`,
        { details: { path } },
      )
    }
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
