import { readFileSync } from 'node:fs'
import { BerthError, messageOf } from '@berth/core'

/** A file that the command line names. `hint` says what to do where there is none. */
export function readText(path: string, hint?: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const reason =
      code === 'ENOENT'
        ? `there is none${hint === undefined ? '' : `; ${hint}`}`
        : code === 'EISDIR'
          ? `it is a folder${hint === undefined ? '' : ` without one; ${hint}`}`
          : messageOf(error)
    throw new BerthError('usage.no-file', `read ${path}: ${reason}`)
  }
}
