import type { AppView, ReleaseView } from '@berth/api'
import type { App, Release } from '@berth/core'
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
  const { app, id, commit, subject, image, build, createdAt, createdBy, spec } = release
  const runningIn = state.pools.byApp(app).flatMap((pool) => (pool.release === id ? [pool.name] : []))
  return { ...defined({ app, id, commit, subject, image, build, createdAt, createdBy }), runningIn, spec }
}
