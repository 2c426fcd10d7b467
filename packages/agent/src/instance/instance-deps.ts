import type { InstanceStatus, NetworkDriver } from '@berth/core'
import type { Logger } from 'pino'
import type { CoreKeeper } from '../cores/core-keeper.ts'
import type { Engine } from '../engine/engine.ts'
import type { RunProbe } from '../health/probe.ts'
import type { InstanceReport } from '../socket/instance-report.ts'
import type { InstanceStore } from '../state/instance-store.ts'
import type { Sealer } from '../state/sealer.ts'
import type { InstanceKeeper } from './instance-keepers.ts'
import type { RuntimeFiles } from './runtime-files.ts'

/** What every instance of a node shares. */
export interface InstanceDeps {
  readonly node: string
  /** Fingerprint of the cluster's authority. */
  readonly cluster: string
  readonly networkName: string
  readonly pidsLimit: number
  /** Changes with every boot of the machine. */
  readonly boot: string
  readonly engine: Engine
  readonly files: RuntimeFiles
  readonly store: InstanceStore
  readonly sealer: Sealer
  readonly probe: RunProbe
  /** What runs of instances have said of themselves. */
  readonly reportOf: (instance: string) => InstanceReport
  readonly keepers: Required<InstanceKeeper>
  readonly cores: Pick<
    CoreKeeper,
    'grantOf' | 'check' | 'shown' | 'explicit' | 'memoryRefusal' | 'prepareUpdate' | 'settle'
  >
  readonly log: Logger
  /** User of an image, by the image's id. */
  readonly imageUsers: Map<string, string>
  /** Of the cluster's network on this node. */
  networkDriver(): NetworkDriver
  /** Deletions are withheld. */
  frozen(): boolean
  /** Resolves when the engine answers. */
  engineUp(signal: AbortSignal): Promise<void>
  onStatus(status: InstanceStatus): void
  onImageMissing(image: string): void
  /** The record of an instance could not be written (the reason), or could be again, or is not needed any more (undefined). */
  onStoreProblem(instance: string, problem: string | undefined): void
}
