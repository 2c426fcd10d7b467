import type { NodeView } from '@berth/api/node-resources'
import { useState } from 'react'
import { Button } from '../components/button.tsx'
import { Dialog } from '../components/dialog.tsx'
import { Problem } from '../components/layout.tsx'
import { Field } from '../components/small.tsx'
import { useText } from '../i18n/language.tsx'
import { useSubmit } from '../live/use-submit.ts'
import { useClient } from '../store/context.tsx'

const most = 1_000

/** Replaces what runs on a node elsewhere, so many at a time. */
export function DrainDialog({ node, onClose }: { readonly node: NodeView; readonly onClose: () => void }) {
  const { drain: text, common, units } = useText()
  const client = useClient()
  const { busy, problem, submit } = useSubmit()
  const [limit, setLimit] = useState(1)
  const { name, instances } = node
  const drain = () =>
    submit({
      run: () => client.call('drainNode', { params: { name }, body: { limit } }),
      done: text.started(name),
      after: onClose,
    })
  return (
    <Dialog
      title={text.title(name)}
      onClose={onClose}
      onSubmit={drain}
      footer={
        <>
          <Button onClick={onClose}>{common.cancel}</Button>
          <Button kind="primary" type="submit" disabled={busy}>
            {text.drain}
          </Button>
        </>
      }
    >
      <Problem text={problem} />
      <p>{text.hint(units.instances(instances))}</p>
      <Field label={text.limit} hint={text.limitHint}>
        <input
          type="number"
          min={1}
          max={most}
          value={limit}
          onChange={(event) => setLimit(Math.min(most, Math.max(1, Math.round(event.target.valueAsNumber) || 1)))}
        />
      </Field>
    </Dialog>
  )
}
