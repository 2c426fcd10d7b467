import type { AppView, ReleaseView } from '@berth/api'
import type { App, Release, ReleaseTests } from '@berth/core'
import type { State } from '../records/index.ts'
import { redactUrls } from '../source/repository-location.ts'
import { poolView } from './pool-view.ts'
import { defined, type ViewContext } from './view-context.ts'

export function appView(context: ViewContext, app: App): AppView {
  const { name, vcs, createdAt, createdBy, removing } = app
  // It may carry a password; the API shows none.
  const repository = app.repository === undefined ? undefined : redactUrls(app.repository)
  const latestRelease = context.state.releases.byApp(name).at(-1)?.id
  const pools = context.state.pools.byApp(name).sort((a, b) => (a.name < b.name ? -1 : 1))
  return {
    ...defined({ name, repository, vcs, createdAt, createdBy, latestRelease, removing }),
    pools: pools.map((pool) => poolView(context, pool)),
  }
}

export function releaseView({ state }: ViewContext, release: Release): ReleaseView {
  const { app, id, commit, subject, author, committedAt, image, build, createdAt, createdBy, spec, tests } = release
  const runningIn = state.pools.byApp(app).flatMap((pool) => (pool.release === id ? [pool.name] : []))
  return {
    ...defined({ app, id, commit, subject, author, committedAt, image, build, createdAt, createdBy }),
    ...(tests === undefined ? {} : { tests: testsView(tests) }),
    ...{ runningIn, served: servedIn(state, release), spec },
  }
}

const testsView = (tests: ReleaseTests): NonNullable<ReleaseView['tests']> => ({
  ...tests,
  runs: tests.runs.map((run) => ({ ...run, logTail: [...run.logTail] })),
})

/** Pools in which a rollout to it came to its end, and when the last did. */
function servedIn(state: State, { app, id }: Release): ReleaseView['served'] {
  return state.pools.byApp(app).flatMap(({ name }) => {
    const times = state.rollouts
      .byPool(app, name)
      .flatMap(({ state: how, to, endedAt }) =>
        how === 'succeeded' && to === id && endedAt !== undefined ? [endedAt] : [],
      )
    return times.length === 0 ? [] : [{ pool: name, at: Math.max(...times) }]
  })
}
