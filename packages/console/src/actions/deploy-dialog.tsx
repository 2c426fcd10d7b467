import type { AppView } from '@berth/api/app-resources'
import type { Answer } from '@berth/api/client'
import type { PlanView } from '@berth/api/planning-resources'
import { messageOf } from '@berth/core/model/berth-error'
import { useState } from 'react'
import { Button } from '../components/button.tsx'
import { Dialog } from '../components/dialog.tsx'
import { Problem } from '../components/layout.tsx'
import { Check } from '../components/small.tsx'
import { useText } from '../i18n/language.tsx'
import { useSubmit } from '../live/use-submit.ts'
import { searchOf } from '../plan/plan-question.ts'
import { Link } from '../router/link.tsx'
import { navigate } from '../router/location.ts'
import { path } from '../router/match-path.ts'
import { useClient } from '../store/context.tsx'
import { type DeployChoice, DeployForm, isComplete } from './deploy-form.tsx'
import { PlanPreview } from './plan-preview.tsx'

interface DeployDialogProps {
  readonly app: AppView
  readonly pool?: string
  readonly onClose: () => void
}

/** First what, then the plan of it, then the confirmation. */
export function DeployDialog({ app, pool, onClose }: DeployDialogProps) {
  const text = useText()
  const client = useClient()
  const { busy, problem, submit } = useSubmit()
  const [force, setForce] = useState(false)
  const [choice, setChoice] = useState<DeployChoice>({
    kind: 'commit',
    ref: 'HEAD',
    release: app.latestRelease ?? '',
    pool: pool ?? app.pools[0]?.name ?? 'production',
  })
  const [plan, setPlan] = useState<PlanView>()
  const [state, setState] = useState<{ readonly planning?: true; readonly problem?: string }>({})
  const what = choice.kind === 'commit' ? { ref: choice.ref } : { release: choice.release }
  const body = { ...what, pool: choice.pool }
  // Asked for only where it would make a difference.
  const busyWith = app.pools.find(({ name }) => name === choice.pool)?.rollout
  const forceFor = busyWith === undefined ? (plan?.changes === false ? 'forceAgain' : undefined) : 'forceTakeOver'
  const preview = async () => {
    setState({ planning: true })
    try {
      setPlan(await client.call('planDeploy', { params: { app: app.name }, body }))
      setState({})
    } catch (error) {
      setState({ problem: messageOf(error) })
    }
  }
  const deploy = () =>
    submit({
      run: () => client.call('deploy', { params: { app: app.name }, body: { ...body, force } }),
      done: text.done.deploying(`${app.name}/${choice.pool}`),
      after: (answer) => {
        onClose()
        navigate(placeOf(answer, app.name, choice.pool))
      },
    })
  return (
    <Dialog
      title={text.deploy.title(app.name)}
      wide
      step={plan === undefined ? 0 : 1}
      onClose={onClose}
      onSubmit={() => (plan === undefined ? void preview() : deploy())}
      footer={
        plan === undefined ? (
          <>
            <Button onClick={onClose}>{text.common.cancel}</Button>
            <Button
              key="preview"
              kind="primary"
              type="submit"
              disabled={state.planning === true || !isComplete(choice)}
            >
              {state.planning ? text.deploy.planning : text.deploy.preview}
            </Button>
          </>
        ) : (
          <>
            {app.pools.some(({ name }) => name === choice.pool) && (
              <Link
                to={`${path('apps', app.name, choice.pool, 'plan')}${searchOf(what)}`}
                className="button button-quiet"
                onClick={onClose}
              >
                {text.plan.asPage}
              </Link>
            )}
            <Button onClick={() => setPlan(undefined)}>{text.deploy.back}</Button>
            <Button key="deploy" kind="primary" type="submit" disabled={busy || (plan.problems.length > 0 && !force)}>
              {text.deploy.confirm(choice.pool)}
            </Button>
          </>
        )
      }
    >
      <Problem text={problem ?? state.problem} />
      {plan === undefined ? (
        <DeployForm app={app} choice={choice} onChange={setChoice} />
      ) : (
        <>
          <PlanPreview plan={plan} />
          {forceFor !== undefined && <Check label={text.deploy[forceFor]} checked={force} onChange={setForce} />}
        </>
      )}
    </Dialog>
  )
}

function placeOf({ build, rollout }: Answer<'deploy'>, app: string, pool: string): string {
  if (build !== undefined) return path('builds', build.id)
  return rollout === undefined ? path('apps', app, pool) : path('rollouts', rollout.id)
}
