import type { SavedPlan } from '@berth/api/planning-resources'
import { rolloutPath } from '../actions/pool-buttons.tsx'
import { useText } from '../i18n/language.tsx'
import { useSubmit } from '../live/use-submit.ts'
import { navigate } from '../router/location.ts'
import { path } from '../router/match-path.ts'
import { useClient } from '../store/context.tsx'

/** Does what was planned, node by node; a plan that the world has left behind is refused, and why is told. */
export function useApply(): {
  readonly busy: boolean
  readonly problem: string | undefined
  readonly apply: (plan: SavedPlan, after?: () => void) => void
} {
  const { plan: text } = useText()
  const client = useClient()
  const { busy, problem, submit } = useSubmit()
  const apply = (plan: SavedPlan, after?: () => void) =>
    submit({
      run: () => client.call('applyPlan', { params: { app: plan.app }, body: { plan } }),
      done: text.applied(`${plan.app}/${plan.pool}`),
      after: ({ rollout }) => {
        after?.()
        navigate(rollout === undefined ? path('apps', plan.app, plan.pool) : rolloutPath(rollout))
      },
    })
  return { busy, problem, apply }
}
