import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf } from '@berth/core'
import type { Logger } from 'pino'
import { writeFileAtomic } from '../state/atomic-file.ts'

export const linkNoteName = 'linked.json'
export const noLinkNoteName = 'not-linked.json'

/** What others on this machine may know of the agent: that its present process is heard by a server. */
export interface LinkNote {
  readonly version: string
  readonly pid: number
  readonly at: number
}

/** Why no server hears it, as it was seen last. */
export interface NoLinkNote {
  readonly pid: number
  /** Since when it is so. */
  readonly at: number
  readonly reason: string
  /** A server has said so; otherwise none was reached. */
  readonly isRefusal: boolean
}

/** Best effort: who waits for it has a deadline, and a full disk must not keep a node from working. */
export function noteLink(directory: string, version: string, log: Logger): void {
  const note: LinkNote = { version, pid: process.pid, at: Date.now() }
  remove(join(directory, noLinkNoteName), log)
  writeFileAtomic(join(directory, linkNoteName), JSON.stringify(note)).catch((error: unknown) => {
    log.warn({ reason: messageOf(error) }, 'could not note that a server has heard of this node')
  })
}

/** For `berth up`: an older executable does not take over by being called once. */
export function noteVersion(directory: string, version: string, log: Logger): void {
  writeFileAtomic(join(directory, 'version'), `${version}\n`).catch((error: unknown) => {
    log.warn({ reason: messageOf(error) }, 'could not note which version runs here')
  })
}

/** Nobody hears this node any more. */
export const forgetLink = (directory: string, log: Logger): void => remove(join(directory, linkNoteName), log)

/** For who waits on this machine for a server to hear this node. */
export function noteNoLink(directory: string, reason: string, isRefusal: boolean, log: Logger): void {
  const note: NoLinkNote = { pid: process.pid, at: Date.now(), reason, isRefusal }
  writeFileAtomic(join(directory, noLinkNoteName), JSON.stringify(note)).catch((error: unknown) => {
    log.warn({ reason: messageOf(error) }, 'could not note why no server hears this node')
  })
}

function remove(path: string, log: Logger): void {
  try {
    rmSync(path, { force: true })
  } catch (error) {
    log.warn({ reason: messageOf(error) }, 'could not note whether a server hears this node')
  }
}
