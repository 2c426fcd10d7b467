import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { BerthError, compareVersions } from '@berth/core'
import type { HostPaths } from './host-paths.ts'

/** Of the agent that started here last; undefined: none has, or one that did not note it. */
export function lastVersion({ stateDir }: HostPaths): string | undefined {
  try {
    return readFileSync(join(stateDir, 'agent', 'version'), 'utf8').trim() || undefined
  } catch {
    return undefined
  }
}

/**
 * An executable that lies about somewhere does not become what runs here by being called once: a version before need not understand what a later one
 * has written. Throws `host.older-version`.
 */
export function refuseDowngrade(paths: HostPaths, command: string, version: string, isAllowed: boolean): void {
  const before = lastVersion(paths)
  if (isAllowed || before === undefined || compareVersions(version, before) >= 0) return
  throw new BerthError(
    'host.older-version',
    `${command}: this executable is version ${version}, and ${before} has run here already; what that has written need not be understood by an older one. Call the newer executable, or say --allow-downgrade where going back is what you want`,
    { details: { version, before } },
  )
}
