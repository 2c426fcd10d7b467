import type { BuildTrigger } from './pipeline.ts'

export type BuildState = 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled'

export interface Build {
  readonly id: string
  readonly app: string
  readonly ref: string
  readonly commit?: string
  readonly subject?: string
  readonly state: BuildState
  /** Digest over tree, chain, build settings: equal inputs are never built twice. */
  readonly inputs?: string
  readonly reused?: boolean
  readonly node?: string
  /** Server that runs it, or ran it last: the output is there. */
  readonly server?: string
  readonly image?: string
  /** Names of the levels that the image stands on: they stay on nodes as long as it is needed. */
  readonly levels?: readonly string[]
  readonly release?: string
  /** Its image is there, and the tests of its release run. */
  readonly testsSince?: number
  /** Where its commit comes from, if that is not where the app's do. A build that succeeds moves the app there. */
  readonly source?: { readonly repository: string; readonly vcs: 'git' | 'svn' }
  /** It began by itself, after a push. */
  readonly trigger?: BuildTrigger
  /** Pool to deploy to on success. */
  readonly deployTo?: string
  /** Deploy over a rollout under way, and although nothing has changed. */
  readonly force?: boolean
  readonly noReuse?: boolean
  /** Why it is to be deployed although deploys are frozen. */
  readonly overrideFreeze?: string
  readonly rollout?: string
  readonly error?: { readonly code: string; readonly message: string; readonly logTail?: readonly string[] }
  readonly createdAt: number
  readonly startedAt?: number
  readonly endedAt?: number
  readonly createdBy: string
}
