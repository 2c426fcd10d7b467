import type { AppView, PoolView, ReleaseView } from '@berth/api/app-resources'
import type { InstanceView } from '@berth/api/instance-resources'
import type { AppSpec } from '@berth/core/model/app-spec'
import type { Dictionary } from '../i18n/dictionary.ts'
import { isBehind } from './states.ts'

/** Replicas that `berth.yaml` asks for, when the release is known. */
export function replicasInSpec(
  release: ReleaseView | undefined,
  pool: PoolView,
  entrypoint: string,
): number | undefined {
  const spec = release?.spec as Partial<AppSpec> | undefined
  return (
    spec?.environments?.[pool.environment]?.entrypoints?.[entrypoint]?.replicas ??
    spec?.entrypoints?.[entrypoint]?.replicas
  )
}

/** Where what runs differs from what is configured, as sentences. Nothing while a rollout is under way: it is expected then. */
export function poolDrift(
  text: Dictionary['drift'],
  app: Pick<AppView, 'latestRelease'>,
  pool: PoolView,
  release: ReleaseView | undefined,
  instances: readonly InstanceView[],
): readonly string[] {
  if (pool.rollout !== undefined) return []
  const found: string[] = []
  if (isBehind(app, pool)) found.push(text.release(pool.release ?? '', app.latestRelease ?? ''))
  for (const entrypoint of pool.entrypoints) {
    if (entrypoint.setBy !== 'scale') continue
    const yaml = replicasInSpec(release, pool, entrypoint.name)
    if (yaml === undefined) found.push(text.scaleByHand(entrypoint.name, entrypoint.wanted))
    else if (yaml !== entrypoint.wanted) found.push(text.scale(entrypoint.name, entrypoint.wanted, yaml))
  }
  const serving = instances.filter(
    (each) => each.type === 'service' && each.phase === 'running' && each.desired === 'run',
  )
  const releases = [...new Set(serving.map((each) => each.release))].sort()
  if (releases.length > 1) found.push(text.mixed(releases.join(', ')))
  return found
}
