import type { PoolView } from '@berth/api/app-resources'
import { useState } from 'react'
import { Button } from '../components/button.tsx'
import { Dialog } from '../components/dialog.tsx'
import { Problem } from '../components/layout.tsx'
import { Field } from '../components/small.tsx'
import { useText } from '../i18n/language.tsx'
import { useGlance } from '../live/use-glance.ts'
import { useSubmit } from '../live/use-submit.ts'
import { useClient } from '../store/context.tsx'
import { rolloutPath } from './pool-buttons.tsx'

interface MoveDialogProps {
  readonly app: string
  readonly pool: PoolView
  readonly onClose: () => void
}

/** Puts a whole environment on the nodes of another group, whatever its berth.yaml says. */
export function MoveDialog({ app, pool, onClose }: MoveDialogProps) {
  const { move: text, common, groups: words } = useText()
  const client = useClient()
  const groups = useGlance('listGroups', {})
  const { busy, problem, submit } = useSubmit()
  const [group, setGroup] = useState(pool.group ?? '')
  const target = `${app}/${pool.name}`
  const move = () =>
    submit({
      run: () =>
        client.call('movePool', { params: { app, pool: pool.name }, body: { group: group === '' ? null : group } }),
      done: text.started(target),
      to: ({ rollout }) => (rollout === undefined ? undefined : rolloutPath(rollout)),
      after: onClose,
    })
  return (
    <Dialog
      title={text.title(target)}
      onClose={onClose}
      onSubmit={move}
      footer={
        <>
          <Button onClick={onClose}>{common.cancel}</Button>
          <Button kind="primary" type="submit" disabled={busy || group === (pool.group ?? '')}>
            {text.move}
          </Button>
        </>
      }
    >
      <Problem text={problem} />
      <p>{text.hint}</p>
      <Field label={text.to}>
        <select value={group} onChange={(event) => setGroup(event.target.value)}>
          <option value="">{text.asWritten}</option>
          {groups.map(({ name, cpu }) => (
            <option key={name} value={name}>{`${name} · ${words.rules[cpu]}`}</option>
          ))}
        </select>
      </Field>
    </Dialog>
  )
}
