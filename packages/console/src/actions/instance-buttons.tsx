import type { InstanceView } from '@berth/api/instance-resources'
import { RoleButton } from '../components/button.tsx'
import { useText } from '../i18n/language.tsx'
import { useAction } from '../live/use-action.ts'
import { useClient } from '../store/context.tsx'

interface Props {
  readonly instance: InstanceView
  readonly small?: boolean
}

const nameOf = ({ app, pool, name }: InstanceView): string => `${app}/${pool}/${name}`

export function RestartInstanceButton({ instance, small = false }: Props) {
  const text = useText()
  const client = useClient()
  const { busy, act } = useAction()
  const restart = () =>
    act({
      ask: {
        title: text.confirm.restartInstance(nameOf(instance)),
        body: <p>{text.confirm.restartInstanceText}</p>,
        verb: text.action.restart,
      },
      run: () => client.call('restartInstance', { params: { id: instance.id } }),
      done: text.done.restart(instance.name),
    })
  return (
    <RoleButton needs="deployer" small={small} icon="restart" disabled={busy} onClick={() => void restart()}>
      {text.action.restart}
    </RoleButton>
  )
}

export function StopInstanceButton({ instance, small = false }: Props) {
  const text = useText()
  const client = useClient()
  const { busy, act } = useAction()
  const stop = () =>
    act({
      ask: {
        title: text.confirm.stopInstance(nameOf(instance)),
        body: <p>{instance.type === 'job' ? text.confirm.stopJobText : text.confirm.stopInstanceText}</p>,
        verb: text.action.stop,
        danger: true,
      },
      run: () => client.call('stopInstance', { params: { id: instance.id } }),
      done: text.done.stop(instance.name),
    })
  return (
    <RoleButton needs="deployer" kind="danger" small={small} disabled={busy} onClick={() => void stop()}>
      {text.action.stop}
    </RoleButton>
  )
}
