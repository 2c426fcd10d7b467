import { readFileSync } from 'node:fs'
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
