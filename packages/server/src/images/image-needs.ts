import type { Build, ImageNeeds } from '@berth/core'
import type { State } from '../records/index.ts'

const isOpen = (build: Build): boolean => build.state === 'queued' || build.state === 'running'

/** What the images of a node are needed for, by the records as they are now. */
export function imageNeeds(state: State, node: string): ImageNeeds {
  const builds = state.builds.all()
  const open = builds.filter(isOpen)
  const releases = state.releases.all()
  const standing = new Set(releases.flatMap((release) => release.build ?? []))
  const newest = newestSucceeded(builds)
  return {
    releases: new Set(releases.map((release) => release.image)),
    levels: new Set(
      builds.flatMap((build) =>
        standing.has(build.id) || newest.get(build.app) === build ? (build.levels ?? []) : [],
      ),
    ),
    building: new Set(open.map((build) => build.app)),
    // One that has not chosen its node yet may choose this one.
    buildsHere: open.some((build) => build.node === undefined || build.node === node),
  }
}

/** The next build of an app stands on the levels of its last one, unless they have changed. */
function newestSucceeded(builds: readonly Build[]): Map<string, Build> {
  const newest = new Map<string, Build>()
  for (const build of builds) {
    if (build.state !== 'succeeded') continue
    const known = newest.get(build.app)
    if (known === undefined || known.createdAt < build.createdAt) newest.set(build.app, build)
  }
  return newest
}
