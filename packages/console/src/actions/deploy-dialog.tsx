import type { Answer } from '@berth/api/client'
import type { AppView, PlanView } from '@berth/api/resources'
import { messageOf } from '@berth/core/model/berth-error'
import { useState } from 'react'
import { Button } from '../components/button.tsx'
import { Dialog } from '../components/dialog.tsx'
import { Banner } from '../components/layout.tsx'
import { useText } from '../i18n/language.tsx'
import { useAction } from '../live/use-action.ts'
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
  const { busy, act } = useAction()
  const [choice, setChoice] = useState<DeployChoice>({
    kind: 'commit',
    ref: 'HEAD',
    release: app.latestRelease ?? '',
    pool: pool ?? app.pools[0]?.name ?? 'production',
  })
  const [plan, setPlan] = useState<PlanView>()
  const [state, setState] = useState<{ readonly planning?: true; readonly problem?: string }>({})
  const body =
    choice.kind === 'commit' ? { ref: choice.ref, pool: choice.pool } : { release: choice.release, pool: choice.pool }
  const preview = async () => {
    setState({ planning: true })
    try {
      setPlan(await client.call('planDeploy', { params: { app: app.name }, body }))
      setState({})
    } catch (error) {
      setState({ problem: messageOf(error) })
    }
  }
  const deploy = async () => {
    const target = `${app.name}/${choice.pool}`
    const run = () => client.call('deploy', { params: { app: app.name }, body })
    const answer = await act({ run, done: text.done.deploying(target) })
    if (answer === undefined) return
    onClose()
    navigate(placeOf(answer, app.name, choice.pool))
  }
  return (
    <Dialog
      title={text.deploy.title(app.name)}
      wide
      onClose={onClose}
      onSubmit={() => void (plan === undefined ? preview() : deploy())}
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
            <Button onClick={() => setPlan(undefined)}>{text.deploy.back}</Button>
            <Button key="deploy" kind="primary" type="submit" autoFocus disabled={busy || plan.problems.length > 0}>
              {text.deploy.confirm(choice.pool)}
            </Button>
          </>
        )
      }
    >
      {state.problem !== undefined && <Banner tone="bad" title={state.problem} />}
      {plan === undefined ? <DeployForm app={app} choice={choice} onChange={setChoice} /> : <PlanPreview plan={plan} />}
    </Dialog>
  )
}

function placeOf({ build, rollout }: Answer<'deploy'>, app: string, pool: string): string {
  if (build !== undefined) return path('builds', build.id)
  return rollout === undefined ? path('apps', app, pool) : path('rollouts', rollout.id)
}
