import type { AppSpec } from './app-spec.ts'

export interface Release {
  readonly app: string
  /** `v7` */
  readonly id: string
  readonly commit?: string
  readonly subject?: string
  /** Of the commit: `Ada <ada@example.com>`. */
  readonly author?: string
  /** Of the commit. */
  readonly committedAt?: number
  /** What instances run: `sha256:…` image id (or a digest reference for registry images). */
  readonly image: string
  readonly spec: AppSpec
  readonly build?: string
  readonly createdAt: number
  readonly createdBy: string
  /** What became of its tests; absent where its spec has none, or was made before there were any. */
  readonly tests?: ReleaseTests
}

export interface ReleaseTests {
  readonly state: 'running' | 'passed' | 'failed'
  /** In the order of the spec; those that have not begun are not there. */
  readonly runs: readonly TestRun[]
  /** Not run again: the release (`v7`) of the same image and spec that they were run for. */
  readonly of?: string
  readonly startedAt: number
  readonly endedAt?: number
}

/** One job of `test:`. */
export interface TestRun {
  readonly entrypoint: string
  readonly instance: string
  readonly state: 'running' | 'passed' | 'failed'
  /** Why it failed, one sentence. */
  readonly message?: string
  /** The last lines that it printed. */
  readonly logTail: readonly string[]
  readonly startedAt: number
  readonly endedAt?: number
}
