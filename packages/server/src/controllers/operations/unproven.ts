import { BerthError, hasSucceeded, missingStage, type Pool, type Release, shortCommit } from '@berth/core'
import type { State } from '../../records/index.ts'
import { historyOf } from '../app-history.ts'

interface Candidate {
  readonly release: Release
  /** Why it goes there although the environment before has not seen it succeed. */
  readonly insists?: string
}

/**
 * What has not shown that it is good goes nowhere: a release whose tests have not passed, or that skips an environment of its app's chain.
 * Where it runs, or has served before, it may always go (back) to. Throws `release.not-tested`, `promotion.not-succeeded`.
 */
export function refuseUnproven(state: State, { release, insists }: Candidate, pool: Pool): void {
  const pipeline = state.pipelines.get(release.app)
  if (release.tests === undefined && (pipeline?.environments.length ?? 0) === 0) return
  const history = historyOf(state, release.app)
  if (pool.release === release.id || hasSucceeded(history, pool.name, release.id)) return
  refuseUntested(release, pool.name)
  const missing = missingStage(pipeline, history, pool.name, release.id)
  if (missing === undefined || insists !== undefined) return
  throw new BerthError(
    'promotion.not-succeeded',
    `${release.app} ${release.id} to ${pool.name}: it has not succeeded in ${missing}, which comes before in the chain; roll it out there first and promote it, or insist: berth promote ${release.app} --to ${pool.name} --release ${release.id} --force --reason WHY`,
    { details: { app: release.app, release: release.id, environment: pool.name, missing } },
  )
}

export function refuseUntested({ app, id, commit, tests }: Release, pool: string): void {
  if (tests === undefined || tests.state === 'passed') return
  const failed = tests.runs.find(({ state }) => state === 'failed')
  const why =
    tests.state === 'running'
      ? 'its tests have not ended yet'
      : `its tests failed (${failed?.entrypoint ?? 'stopped'}${failed?.message === undefined ? '' : `: ${failed.message}`})`
  const again = commit === undefined ? '' : `; run them again: berth build ${app} --ref ${shortCommit(commit)}`
  throw new BerthError('release.not-tested', `${app} ${id} to ${pool}: ${why}${again}`, {
    retryable: tests.state === 'running',
    details: { app, release: id, environment: pool },
  })
}

/** Said before a build that could go nowhere: what is new goes to the first of the chain. */
export function refuseLaterStage(state: State, app: string, pool: string): void {
  const { environments = [] } = state.pipelines.get(app) ?? {}
  const [first] = environments
  if (first === undefined || environments.indexOf(pool) < 1) return
  throw new BerthError(
    'promotion.not-succeeded',
    `deploy ${app} to ${pool}: what is new goes to ${first} first, and on from there: berth deploy ${app}@${first}, then berth promote ${app}`,
    { details: { app, environment: pool, missing: first } },
  )
}
