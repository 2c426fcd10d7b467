import type { NodeView } from '@berth/api/node-resources'
import { useState } from 'react'
import { Button } from '../components/button.tsx'
import { Dialog } from '../components/dialog.tsx'
import { Problem } from '../components/layout.tsx'
import { Field } from '../components/small.tsx'
import { useText } from '../i18n/language.tsx'
import { useGlance } from '../live/use-glance.ts'
import { useSubmit } from '../live/use-submit.ts'
import { useClient } from '../store/context.tsx'

export function NodeGroupDialog({ node, onClose }: { readonly node: NodeView; readonly onClose: () => void }) {
  const { placing: text, common, groups: words } = useText()
  const client = useClient()
  const groups = useGlance('listGroups', {})
  const { busy, problem, submit } = useSubmit()
  const before = node.group ?? 'default'
  const [group, setGroup] = useState(before)
  const { name } = node
  const save = () =>
    submit({
      run: () => client.call('updateNode', { params: { name }, body: { group } }),
      done: text.inGroup(name, group),
      after: onClose,
    })
  return (
    <Dialog
      title={text.groupTitle(name)}
      onClose={onClose}
      onSubmit={save}
      footer={
        <>
          <Button onClick={onClose}>{common.cancel}</Button>
          <Button kind="primary" type="submit" disabled={busy || group === before}>
            {text.save}
          </Button>
        </>
      }
    >
      <Problem text={problem} />
      <p className="muted">{text.groupHint}</p>
      <Field label={text.group}>
        <select value={group} onChange={(event) => setGroup(event.target.value)}>
          {groups.every((each) => each.name !== before) && <option>{before}</option>}
          {groups.map((each) => (
            <option key={each.name} value={each.name}>{`${each.name} · ${words.rules[each.cpu]}`}</option>
          ))}
        </select>
      </Field>
    </Dialog>
  )
}
