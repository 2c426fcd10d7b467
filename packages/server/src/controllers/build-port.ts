import type { AppSpec } from '@berth/core'

/** What the controllers need of the builder. */
export interface BuildSource {
  readonly app: string
  readonly repository: string
  readonly vcs: 'git' | 'svn'
  readonly ref: string
}

export interface BuildOutcome {
  readonly commit?: string
  readonly subject?: string
  /** Of the commit. */
  readonly author?: string
  readonly committedAt?: number
  readonly spec: AppSpec
  readonly inputs: string
  readonly image: string
  readonly reused: boolean
  readonly node?: string
}

export interface BuildRunner {
  run(
    build: BuildSource & { readonly id: string; readonly noReuse: boolean },
    options: {
      readonly signal: AbortSignal
      readonly onProgress: (progress: {
        readonly commit?: string
        readonly subject?: string
        readonly inputs?: string
        readonly levels?: readonly string[]
        readonly node?: string
      }) => void
    },
  ): Promise<BuildOutcome>
}

/** Reads the berth.yaml of a commit without building anything. */
export interface SpecReader {
  readSpec(
    source: BuildSource,
    options: { readonly signal?: AbortSignal },
  ): Promise<{ readonly commit: string; readonly subject: string; readonly spec: AppSpec }>
}
