import { type App, BerthError, type Instance, type Pool, type Release, type Rollout } from '@berth/core'
import type { State } from '../../records/index.ts'

export function requireApp(state: State, name: string): App {
  const app = state.apps.get(name)
  if (app !== undefined) return app
  const names = [...state.apps.ids()]
  const known = names.length === 0 ? 'there is none yet' : `there are: ${names.join(', ')}`
  throw new BerthError('app.not-found', `no app ${name}; ${known}`, { details: { app: name } })
}

export function requirePool(state: State, app: string, name: string): Pool {
  requireApp(state, app)
  const pool = state.pools.find(app, name)
  if (pool !== undefined) return pool
  const names = state.pools.byApp(app).map((each) => each.name)
  const known = names.length === 0 ? `deploy ${app} first` : `there are: ${names.join(', ')}`
  throw new BerthError('pool.not-found', `no pool ${app}/${name}; ${known}`, { details: { app, pool: name } })
}

/** That the release which serves, or the one on its way, has such an entrypoint. Nothing is said of a pool without either. */
export function requireEntrypoint(state: State, pool: Pool, name: string): void {
  const coming = pool.rollout === undefined ? undefined : state.rollouts.get(pool.rollout)?.to
  const releases = [pool.release, coming].map((id) =>
    id === undefined ? undefined : state.releases.find(pool.app, id),
  )
  const names = [...new Set(releases.flatMap((each) => Object.keys(each?.spec.entrypoints ?? {})))]
  if (names.length === 0 || names.includes(name)) return
  throw new BerthError('entrypoint.not-found', `no entrypoint ${name} of ${pool.app}; there are: ${names.join(', ')}`, {
    details: { app: pool.app, entrypoint: name },
  })
}

/** As {@link requirePool}; throws `pool.removing` where every change would only be undone. */
export function requireLivePool(state: State, app: string, name: string): Pool {
  const pool = requirePool(state, app, name)
  refuseRemoving(state, app, name)
  return pool
}

export function refuseRemoving(state: State, app: string, pool: string): void {
  if (state.apps.get(app)?.removing !== true && state.pools.find(app, pool)?.removing !== true) return
  throw new BerthError('pool.removing', `${app}/${pool} is being removed; wait until it is gone, then deploy again`, {
    retryable: true,
    details: { app, pool },
  })
}

export function requireRelease(state: State, app: string, id: string): Release {
  const release = state.releases.find(app, id)
  if (release !== undefined) return release
  const known = state.releases
    .byApp(app)
    .slice(-5)
    .map((each) => each.id)
  const hint = known.length === 0 ? `build ${app} first` : `the last ones are ${known.join(', ')}`
  throw new BerthError('release.not-found', `no release ${id} of ${app}; ${hint}`, { details: { app, release: id } })
}

export function requireRollout(state: State, id: string): Rollout {
  const rollout = state.rollouts.get(id)
  if (rollout !== undefined) return rollout
  throw new BerthError('rollout.not-found', `no rollout ${id}; \`berth rollouts\` lists them`, {
    details: { rollout: id },
  })
}

export function requireInstance(state: State, id: string): Instance {
  const instance = state.instances.get(id)
  if (instance !== undefined) return instance
  throw new BerthError('instance.not-found', `no instance ${id}; \`berth ps\` lists them`, {
    details: { instance: id },
  })
}
