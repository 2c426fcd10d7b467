import { rm } from 'node:fs/promises'
import type { Logger } from 'pino'
import { runCommand } from '../network/run-command.ts'
import { removeAnycastLink } from './anycast-link.ts'
import { KeepalivedKeeper } from './keepalived-keeper.ts'

export interface RemoveFailoverOptions {
  readonly directory: string
  readonly runDirectory: string
  readonly log: Logger
  readonly signal: AbortSignal
}

/** Ends keepalived, which tells its peers and takes its addresses away. */
export async function removeFailover({ directory, runDirectory, log, signal }: RemoveFailoverOptions): Promise<void> {
  await new KeepalivedKeeper({ runDirectory, exec: runCommand, log }).stop()
  await removeAnycastLink(runCommand, { signal })
  await rm(directory, { recursive: true, force: true })
}
