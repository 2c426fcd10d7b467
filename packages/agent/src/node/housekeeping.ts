import { join } from 'node:path'
import { messageOf } from '@berth/core'
import type { Logger } from 'pino'
import type { Engine } from '../engine/engine.ts'
import { measureDirectories } from '../instance/disk-usage.ts'
import { DiskWatch } from '../instance/disk-watch.ts'
import { rotateLogs } from '../instance/persist-logs.ts'
import type { Reconciler } from '../instance/reconciler.ts'
import type { RuntimeFiles } from '../instance/runtime-files.ts'
import type { Problems } from './problems.ts'
import { repeat } from './repeat.ts'

export interface HousekeepingOptions {
  readonly reconciler: Reconciler
  readonly files: RuntimeFiles
  /** The directory of the gateway's; it is there where there is a gateway. */
  readonly gatewayLogs: string
  readonly engine: Pick<Engine, 'inspectContainer' | 'layerBytes'>
  readonly problems: Problems
  readonly log: Logger
  readonly diskLookMs: number
  readonly diskLookShare: number
  /** The engine answers. */
  readonly isEngineUp: () => boolean
  /** All that should be on this node is known. */
  readonly isComplete: () => boolean
}

const gatewayLimits = { maxBytes: 100 * 1024 ** 2, maxFiles: 4 }

/** What instances do to the disk: their logs in `/persist`, what they leave at their end, and how much they use. */
export class Housekeeping {
  readonly #options: HousekeepingOptions

  constructor(options: HousekeepingOptions) {
    this.#options = options
  }

  async rotateLogs(): Promise<void> {
    const { reconciler, files, gatewayLogs, log } = this.#options
    for (const assignment of reconciler.assignments) {
      const limits = { maxBytes: assignment.logMaxBytes, maxFiles: assignment.logMaxFiles }
      try {
        await rotateLogs(join(files.persistOf(assignment), 'logs'), limits)
      } catch (error) {
        log.warn({ instance: assignment.instance, err: error }, 'could not rotate the logs in /persist')
      }
    }
    await rotateLogs(gatewayLogs, gatewayLimits).catch((error: unknown) => {
      log.warn({ err: error }, "could not rotate the gateway's logs")
    })
  }

  /** Only when all that should be here is known may the rest be taken for what is not. */
  async collectEnded(signal: AbortSignal): Promise<void> {
    const { reconciler, files, log, isEngineUp, isComplete } = this.#options
    try {
      const own = new Set(reconciler.assignments.map((assignment) => files.persistOf(assignment)))
      const isKnown = (persist: string): boolean => own.has(persist) || reconciler.has(files.instanceOf(persist))
      if (isComplete() && isEngineUp()) await files.ended.adopt(isKnown)
      await files.ended.collect(signal)
    } catch (error) {
      if (!signal.aborted) log.warn({ err: error }, 'could not look through what instances left')
    }
  }

  /** Until disposed of. */
  watchDisk(): AsyncDisposable {
    const { reconciler, engine, problems, diskLookMs, diskLookShare, isEngineUp } = this.#options
    const disk = new DiskWatch({
      subjects: () => reconciler.diskSubjects(),
      placesOf: (id, signal) => engine.inspectContainer(id, { signal }),
      layerBytesOf: (id, signal) => engine.layerBytes(id, { signal }),
      measure: measureDirectories,
      onUsed: (subject, usedBytes) => reconciler.diskUsed(subject, usedBytes),
      intervalMs: diskLookMs,
      maxShare: diskLookShare,
    })
    return repeat(
      () => disk.pauseMs,
      async (signal) => {
        if (!isEngineUp()) return
        const problem = await disk.look(signal).then(() => undefined, messageOf)
        if (!signal.aborted) problems.set('disk-use', problem && `use of the disk cannot be told: ${problem}`)
      },
    )
  }
}
