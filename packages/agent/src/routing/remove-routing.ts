import { rm } from 'node:fs/promises'
import type { Logger } from 'pino'
import { runCommand } from '../network/run-command.ts'
import { BirdKeeper } from './bird-keeper.ts'
import { removeTable } from './kernel-routes.ts'

export interface RemoveRoutingOptions {
  readonly directory: string
  readonly runDirectory: string
  readonly log: Logger
  readonly signal: AbortSignal
}

/** Ends BIRD with a goodbye, so that nobody sends anything here any more, and takes its routes away. */
export async function removeRouting({ directory, runDirectory, log, signal }: RemoveRoutingOptions): Promise<void> {
  const keeper = new BirdKeeper({ runDirectory, logDirectory: directory, exec: runCommand, log })
  await keeper.stop({ signal, goodbye: true })
  await removeTable(runCommand, { signal })
  await rm(directory, { recursive: true, force: true })
}
