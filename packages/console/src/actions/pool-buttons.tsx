import type { PoolView } from '@berth/api/app-resources'
import type { RolloutView } from '@berth/api/deploy-resources'
import { RoleButton } from '../components/button.tsx'
import { useText } from '../i18n/language.tsx'
import { isOver, poolName } from '../live/states.ts'
import { useAction } from '../live/use-action.ts'
import { path } from '../router/match-path.ts'
import { useClient } from '../store/context.tsx'

export const rolloutPath = ({ id }: { readonly id: string }): string => path('rollouts', id)

export function RestartPoolButton({ app, pool }: { readonly app: string; readonly pool: PoolView }) {
  const text = useText()
  const client = useClient()
  const { busy, act } = useAction()
  const target = `${app}/${pool.name}`
  const restart = () =>
    act({
      ask: { title: text.confirm.restart(target), body: <p>{text.confirm.restartText}</p>, verb: text.action.restart },
      run: () => client.call('restartPool', { params: { app, pool: pool.name } }),
      done: text.done.restart(target),
      to: rolloutPath,
    })
  return (
    <RoleButton needs="deployer" disabled={busy || pool.release === undefined} onClick={() => void restart()}>
      {text.action.restart}
    </RoleButton>
  )
}

interface RollbackButtonProps {
  readonly app: string
  readonly pool: string
  readonly release: string
  readonly newer: boolean
}

/** One click and a confirmation. Going forward again is a deploy of that release; nothing is built either way. */
export function RollbackButton({ app, pool, release, newer }: RollbackButtonProps) {
  const text = useText()
  const client = useClient()
  const { busy, act } = useAction()
  const target = `${app}/${pool}`
  const rollback = () =>
    act({
      ask: {
        title: text.confirm.rollback(target, release),
        body: <p>{text.confirm.rollbackText}</p>,
        verb: text.action.rollback,
      },
      run: () => client.call('rollbackPool', { params: { app, pool }, body: { to: release } }),
      done: text.done.rollback(target, release),
      to: rolloutPath,
    })
  const deploy = () =>
    act({
      ask: {
        title: `${text.deploy.confirm(target)}: ${release}`,
        body: <p>{text.confirm.rollbackText}</p>,
        verb: text.action.deploy,
      },
      run: () => client.call('deploy', { params: { app }, body: { release, pool } }),
      done: text.done.deploying(target),
    })
  return (
    <RoleButton needs="deployer" small disabled={busy} onClick={() => void (newer ? deploy() : rollback())}>
      {newer ? text.action.deployRelease(release) : text.action.rollbackTo(release)}
    </RoleButton>
  )
}

export function RolloutButtons({ rollout }: { readonly rollout: RolloutView }) {
  const text = useText()
  const client = useClient()
  const { busy, act } = useAction()
  if (isOver(rollout)) return null
  const { id, state } = rollout
  const target = poolName(rollout)
  const params = { id }
  const pause = () => act({ run: () => client.call('pauseRollout', { params }), done: text.done.paused(target) })
  const resume = () => act({ run: () => client.call('resumeRollout', { params }), done: text.done.resumed(target) })
  const abort = () =>
    act({
      ask: {
        title: text.confirm.abort(target),
        body: <p>{text.confirm.abortText}</p>,
        verb: text.action.abort,
        danger: true,
      },
      run: () => client.call('abortRollout', { params }),
      done: text.done.aborted(target),
    })
  return (
    <>
      {state === 'running' && (
        <RoleButton needs="deployer" disabled={busy} onClick={() => void pause()}>
          {text.action.pause}
        </RoleButton>
      )}
      {state === 'paused' && (
        <RoleButton needs="deployer" kind="primary" disabled={busy} onClick={() => void resume()}>
          {text.action.resume}
        </RoleButton>
      )}
      <RoleButton needs="deployer" kind="danger" disabled={busy} onClick={() => void abort()}>
        {text.action.abort}
      </RoleButton>
    </>
  )
}
