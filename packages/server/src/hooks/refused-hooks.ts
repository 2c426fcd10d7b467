import { type AppSpec, hookText } from '@berth/core'
import type { State } from '../records/index.ts'
import { hookTargetOf } from './hook-targets.ts'

/** URLs that hooks of its stages would call and may not, one sentence each with what to do. */
export function refusedHooks(state: State, { rollout }: AppSpec): string[] {
  const hooks = (rollout.stages ?? []).flatMap(({ before = [], after = [] }) => [...before, ...after])
  const refused = hooks.flatMap((hook) =>
    hook.type === 'url' && hookTargetOf(state, hook.url) === undefined ? [hookText(hook)] : [],
  )
  return [...new Set(refused)].map(
    (url) => `hooks may not call ${url}: an admin allows it (berth hook allow NAME ${new URL(url).origin}/)`,
  )
}
