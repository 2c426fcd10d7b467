/**
 * How commits of an app become what runs: which branches and tags are built by themselves, where what was built goes, and through which
 * environments it is promoted. Set by people and kept by the server, never read from the repository: whoever may push to a branch must
 * not decide by it what reaches production. Key `/pipelines/<app>`.
 */
export interface Pipeline {
  readonly app: string
  /** Patterns of branches (`main`, `release/*`) whose pushes are built. */
  readonly branches: readonly string[]
  /** Patterns of tags (`v*`). */
  readonly tags: readonly string[]
  /** Pool that gets what such a push made. Absent: nothing is rolled out by itself. */
  readonly deploy?: string
  /** Pools in the order in which one and the same image is promoted through them. Empty: no chain. */
  readonly environments: readonly string[]
  /** Those of the chain that get by themselves what has succeeded in the one before. */
  readonly automatic: readonly string[]
  /** How often the repository is asked for its branches and tags. Absent: only when a webhook or a person says so. */
  readonly pollMs?: number
  /** Of its webhooks, sealed. Absent: none are taken. */
  readonly sealed?: string
  /** Goes up with every change. */
  readonly version: number
  readonly updatedAt: number
  readonly updatedBy: string
}

/** What the last look at an app's repository showed. Written by the leader of builds. Key `/seen-refs/<app>`. */
export interface SeenRefs {
  readonly app: string
  /** The address that it was: another one is looked at for the first time. */
  readonly repository: string
  /** Of the branches and tags that the pipeline names: `refs/heads/main` → commit. */
  readonly refs: Readonly<Record<string, string>>
  readonly changedAt: number
}

/** Why a build began by itself. */
export interface BuildTrigger {
  /** `refs/heads/main` */
  readonly ref: string
  readonly by: 'webhook' | 'poll' | 'person'
  /** Pool that its release goes to. */
  readonly deploy?: string
}
