import type { ConfigRolloutState, NodeConfigState } from '../node-config/decide-config-rollout.ts'
import type { NodeConfigSpec } from '../node-config/node-config.ts'

/** A version of the node configuration; never changed. Key `/config-versions/<number>`. */
export interface ConfigVersion {
  readonly version: number
  readonly spec: NodeConfigSpec
  readonly source: ConfigSource
  readonly createdAt: number
  readonly createdBy: string
}

export interface ConfigSource {
  readonly repository?: string
  readonly commit?: string
  readonly subject?: string
  /** Of the document, in the repository or where it was sent from. */
  readonly path: string
  /** It is the content of this version. */
  readonly rollbackTo?: number
}

/** How a version comes to the nodes. Key `/config-rollouts/<number>`. */
export interface ConfigRollout {
  readonly version: number
  readonly state: ConfigRolloutState
  readonly message: string
  readonly endedAt?: number
}

/** What a node was told of the node configuration last. Key `/node-configs/<node>`. */
export interface NodeConfigRecord {
  readonly node: string
  /** The rollout that told it. */
  readonly rollout: number
  /** Where it is to be; another than `rollout` once it is taken back. */
  readonly wanted: number
  /** What it had before. */
  readonly before: number
  readonly order: string
  readonly state: NodeConfigState
  readonly since: number
  readonly why?: string
  readonly output?: readonly string[]
}
