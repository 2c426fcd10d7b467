/** What `daemon.json` may hold. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/** The node configuration as it is kept in a version: everything said, in base units, with the content of its files. */
export interface NodeConfigSpec {
  /** Drift is corrected, not only told. */
  readonly enforce: boolean
  readonly rollout: ConfigRolloutRule
  readonly rules: readonly NodeConfigRule[]
}

export interface ConfigRolloutRule {
  /** Nodes at a time: a number, or thousandths of those that match. */
  readonly batch: { readonly count: number } | { readonly shareMilli: number }
  /** Between two batches. */
  readonly pauseMs: number
  /** How long a node may take to be well again after its changes. */
  readonly withinMs: number
  readonly onFailure: 'stop' | 'undo'
}

export interface NodeConfigRule {
  /** None: all groups. */
  readonly groups: readonly string[]
  /** Requirements on labels, all of which must hold. */
  readonly where: readonly string[]
  readonly config: NodeConfig
}

/** What one node must have. */
export interface NodeConfig {
  /** Keys of dockerd's `daemon.json`. */
  readonly docker: Readonly<Record<string, Json>>
  readonly sysctls: Readonly<Record<string, string>>
  readonly packages: readonly string[]
  /** By absolute path. */
  readonly files: Readonly<Record<string, NodeFile>>
  readonly checks: readonly NodeCheck[]
}

export interface NodeFile {
  readonly content: string
  /** Permission bits, four octal digits: `0644`. */
  readonly mode: string
  /** `user:group`, by name or number. */
  readonly owner: string
  /** Run when it has become another one. */
  readonly run?: readonly string[]
}

export interface NodeCheck {
  readonly command: readonly string[]
  readonly timeoutMs: number
}

export const emptyNodeConfig: NodeConfig = { docker: {}, sysctls: {}, packages: [], files: {}, checks: [] }

/** Rules laid over each other, the later one wins. */
export function mergeConfigs(configs: readonly NodeConfig[]): NodeConfig {
  return configs.reduce(
    (all, each) => ({
      docker: { ...all.docker, ...each.docker },
      sysctls: { ...all.sysctls, ...each.sysctls },
      packages: [...new Set([...all.packages, ...each.packages])].sort(),
      files: { ...all.files, ...each.files },
      checks: [...all.checks, ...each.checks],
    }),
    emptyNodeConfig,
  )
}
