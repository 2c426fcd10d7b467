import type { RolloutView } from '@berth/api/deploy-resources'

/** Releases that were tried in a pool and never came into traffic there: nobody goes back to one of them. */
export function neverServed(rollouts: readonly RolloutView[]): ReadonlySet<string> {
  const served = new Set(rollouts.flatMap(({ state, to, from }) => [...(state === 'succeeded' ? [to] : []), from]))
  return new Set(rollouts.flatMap(({ to }) => (served.has(to) ? [] : [to])))
}
