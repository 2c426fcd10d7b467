import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf } from '@berth/core'
import type { Logger } from 'pino'
import { writeFileAtomic } from '../state/atomic-file.ts'

export const linkNoteName = 'linked.json'

/** What others on this machine may know of the agent: that its present process is heard by a server. */
export interface LinkNote {
  readonly version: string
  readonly pid: number
  readonly at: number
}

/** Best effort: who waits for it has a deadline, and a full disk must not keep a node from working. */
export function noteLink(directory: string, version: string, log: Logger): void {
  const note: LinkNote = { version, pid: process.pid, at: Date.now() }
  writeFileAtomic(join(directory, linkNoteName), JSON.stringify(note)).catch((error: unknown) => {
    log.warn({ reason: messageOf(error) }, 'could not note that a server has heard of this node')
  })
}

/** Nobody hears this node any more. */
export function forgetLink(directory: string, log: Logger): void {
  try {
    rmSync(join(directory, linkNoteName), { force: true })
  } catch (error) {
    log.warn({ reason: messageOf(error) }, 'could not note that no server hears this node')
  }
}
