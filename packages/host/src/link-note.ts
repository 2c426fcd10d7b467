import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { HostPaths } from './host-paths.ts'

export interface LinkNote {
  readonly version: string
  readonly pid: number
  readonly at: number
}

/** What the agent of this machine has noted when a server last heard of it; undefined when none has. */
export function readLinkNote(paths: HostPaths): LinkNote | undefined {
  try {
    return JSON.parse(readFileSync(join(paths.stateDir, 'agent', 'linked.json'), 'utf8')) as LinkNote
  } catch {
    return undefined
  }
}
