import { closeSync, openSync, readSync } from 'node:fs'

/** Larger than any of the files read here: an entry of `memory.stat` is some 30 bytes. */
const buffer = Buffer.allocUnsafe(64 * 1024)

/**
 * Reads a file of /proc or of a cgroup. Synchronously, since the kernel makes such a file while it is read: it takes some 10 µs, a round through the
 * thread pool several times that.
 */
export function readSmallFile(path: string): string {
  const file = openSync(path, 'r')
  try {
    return buffer.toString('latin1', 0, readSync(file, buffer, 0, buffer.length, 0))
  } finally {
    closeSync(file)
  }
}

/** The same; empty when there is no such file, as where a controller is not switched on. */
export function readOptionalFile(path: string): string {
  try {
    return readSmallFile(path)
  } catch {
    return ''
  }
}
