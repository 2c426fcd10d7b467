import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { HostPaths } from './host-paths.ts'

/** What the agent notes when a server hears of it. `at`: milliseconds since the epoch. */
export interface LinkNote {
  readonly version: string
  readonly pid: number
  readonly at: number
}

/** Undefined while no server hears the agent of this machine. Of an agent that has ended it is what was so then. */
export function readLinkNote(paths: HostPaths): LinkNote | undefined {
  try {
    return JSON.parse(readFileSync(join(paths.stateDir, 'agent', 'linked.json'), 'utf8')) as LinkNote
  } catch {
    return undefined
  }
}

/** What the agent notes when no link comes about. `at`: since when it is for this reason. */
export interface NoLinkNote {
  readonly pid: number
  readonly at: number
  readonly reason: string
  readonly isRefusal: boolean
}

/** Of the agent that runs now. */
export function readNoLinkNote(paths: HostPaths): NoLinkNote | undefined {
  try {
    const note = JSON.parse(readFileSync(join(paths.stateDir, 'agent', 'not-linked.json'), 'utf8')) as NoLinkNote
    return existsSync(join('/proc', String(note.pid))) ? note : undefined
  } catch {
    return undefined
  }
}
