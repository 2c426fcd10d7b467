import { BerthError, planPromotion, type Rollout } from '@berth/core'
import { historyOf } from '../app-history.ts'
import type { CallContext, PromoteArguments } from '../operations.ts'
import { refuseRemoving, requireApp, requireRelease } from './lookup.ts'
import type { OperationsContext } from './operations-context.ts'
import { startRollout } from './start-rollout.ts'

/** The same image, one environment further in the chain of the app's pipeline. */
export async function promote(
  { records, state, defaultPool, now }: OperationsContext,
  args: PromoteArguments,
  call: CallContext,
): Promise<{ readonly rollout: Rollout; readonly from: string }> {
  const { app, from, to, release, force, reason } = args
  if (force && (reason === undefined || reason.trim() === ''))
    throw new BerthError(
      'promotion.no-reason',
      `promote ${app} by force: say why, with --reason; it is kept with the rollout`,
    )
  const { value } = await records.commit(
    call.actor,
    (tx) => {
      requireApp(state, app)
      if (release !== undefined) requireRelease(state, app, release)
      const pipeline = state.pipelines.get(app) ?? { app, environments: [] }
      const plan = planPromotion(pipeline, historyOf(state, app), { from, to, release })
      const wanted = plan.ok ? plan : force ? plan.forced : undefined
      if (wanted === undefined)
        throw new BerthError(plan.ok ? 'promotion.nothing' : plan.code, plan.ok ? '' : plan.message, {
          details: { app },
        })
      if (state.pipelines.has(app)) tx.require('pipelines', app)
      refuseRemoving(state, app, wanted.to)
      const insists = plan.ok ? undefined : reason
      const rollout = startRollout(tx, state, {
        ...{
          release: requireRelease(state, app, wanted.release),
          pool: wanted.to,
          reason: 'deploy',
          createdBy: call.actor,
        },
        ...{ force: false, defaultPool, now: now(), ...(insists === undefined ? {} : { insists }) },
      })
      const why = insists === undefined ? '' : ` although it has not succeeded before: ${insists}`
      tx.event({
        type: 'release.promoted',
        subject: { app, pool: wanted.to, release: wanted.release, rollout: rollout.id },
        message: `${app} ${wanted.release} is promoted from ${wanted.from} to ${wanted.to}${why}`,
      })
      return { rollout, from: wanted.from }
    },
    call,
  )
  return value
}
