import { execFile } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** A real file system that gets full. Needs root, as Berth's tests do. */
export async function mountSmallDisk(path: string, kibibytes: number): Promise<AsyncDisposable> {
  await mkdir(path)
  await run('mount', ['-t', 'tmpfs', '-o', `size=${kibibytes}k`, 'tmpfs', path])
  return {
    async [Symbol.asyncDispose]() {
      await run('umount', [path])
    },
  }
}
