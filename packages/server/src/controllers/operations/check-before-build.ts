import { type AppSpec, BerthError, shortCommit } from '@berth/core'
import type { CallContext, SourceArguments } from '../operations.ts'
import { checkEnvironment, refuseProblems } from './check-release.ts'
import type { OperationsContext } from './operations-context.ts'
import { newPool, reckonRollout } from './reckon-rollout.ts'

/** A repository that takes longer to read is the build's to wait for. */
const readTimeoutMs = 10_000

interface Wanted extends SourceArguments {
  readonly app: string
  readonly ref: string
  /** Absent: nothing is rolled out. */
  readonly pool?: string
}

/** Throws at once what would only be said after the build: all that the commit's berth.yaml and the state tell without one. */
export async function checkBeforeBuild(context: OperationsContext, wanted: Wanted, call: CallContext): Promise<void> {
  const { app, pool } = wanted
  const { state, defaultPool } = context
  if (pool === undefined && state.apps.has(app)) return
  const read = await readSpec(context, wanted, call)
  if (read === undefined || pool === undefined) return
  checkEnvironment(read.spec, pool, defaultPool)
  const held = state.pools.find(app, pool) ?? newPool(app, pool, context.now())
  const { problems } = reckonRollout(state, held, read.spec, { reason: 'deploy', createdBy: call.actor })
  refuseProblems(`${app} ${shortCommit(read.commit)} to ${pool}`, problems)
}

/**
 * Undefined when it cannot be read: the build of a known app tells why, and keeps that with its output. An app that is not known yet is
 * refused instead, so that a mistyped name does not become an app.
 */
async function readSpec(
  { state, specs }: OperationsContext,
  { app, ref, ...given }: Wanted,
  call: CallContext,
): Promise<{ readonly commit: string; readonly spec: AppSpec } | undefined> {
  const known = state.apps.get(app)
  const repository = given.repository ?? known?.repository
  if (repository === undefined) return undefined
  const timeout = AbortSignal.timeout(readTimeoutMs)
  const signal = call.signal === undefined ? timeout : AbortSignal.any([call.signal, timeout])
  try {
    return await specs.readSpec({ app, repository, vcs: given.vcs ?? known?.vcs ?? 'git', ref }, { signal })
  } catch (error) {
    call.signal?.throwIfAborted()
    if (known === undefined && !timeout.aborted && error instanceof BerthError) throw error
    return undefined
  }
}
