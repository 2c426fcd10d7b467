import { type AppSpec, closest, siteLabel } from '@berth/core'
import { refusedHooks } from '../../hooks/refused-hooks.ts'
import type { State } from '../../records/index.ts'

/** What would keep a deploy from getting through its stages, one sentence each with what to do. */
export const stageProblems = (state: State, spec: AppSpec): string[] => [
  ...refusedHooks(state, spec),
  ...unknownSites(state, spec),
]

/** Nothing would be new there, and the stage would be over at once. */
function unknownSites({ nodes }: State, { rollout }: AppSpec): string[] {
  const named = new Set((rollout.stages ?? []).flatMap(({ sites = [] }) => sites))
  if (named.size === 0) return []
  const known = new Set(nodes.all().flatMap(({ labels }) => labels[siteLabel] ?? []))
  return [...named]
    .filter((site) => !known.has(site))
    .map((site) => {
      const near = closest(site, [...known])
      return `a stage is about the site ${site}, of which no node is${near === undefined ? '' : ` (did you mean ${near}?)`}: berth node label NODE site=${site}`
    })
}
