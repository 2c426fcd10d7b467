import type { Answer } from '@berth/api/client'
import type { NodeView } from '@berth/api/node-resources'
import { BerthError } from '@berth/core/model/berth-error'
import { formatCpu, parseCpu } from '@berth/core/spec/quantities'
import { useState } from 'react'
import { Button } from '../components/button.tsx'
import { Dialog } from '../components/dialog.tsx'
import { Problem } from '../components/layout.tsx'
import { Field } from '../components/small.tsx'
import { useText } from '../i18n/language.tsx'
import { useGlance } from '../live/use-glance.ts'
import { useSubmit } from '../live/use-submit.ts'
import { useClient } from '../store/context.tsx'

/** What a node's cores are worth beside others': said, or measured by a short piece of work on two nodes. */
export function SpeedDialog({ node, onClose }: { readonly node: NodeView; readonly onClose: () => void }) {
  const { placing: text, common } = useText()
  const client = useClient()
  const { busy, problem, submit } = useSubmit()
  const [speed, setSpeed] = useState(formatCpu(node.speedMilli ?? 1000))
  const [measured, setMeasured] = useState<Answer<'measureNode'>>()
  const { name } = node
  const save = () =>
    submit({
      run: async () => client.call('updateNode', { params: { name }, body: { speedMilli: milliOf(speed) } }),
      done: text.speedSaved(name, speed),
      after: onClose,
    })
  const measure = (against: string) =>
    submit({
      run: () => client.call('measureNode', { params: { name }, body: against === '' ? {} : { against } }),
      after: (answer) => {
        setMeasured(answer)
        setSpeed(formatCpu(answer.node.speedMilli ?? 1000))
      },
    })
  return (
    <Dialog
      title={text.speedTitle(name)}
      onClose={onClose}
      onSubmit={measured === undefined ? save : onClose}
      footer={
        <>
          {measured === undefined && <Button onClick={onClose}>{common.cancel}</Button>}
          <Button kind="primary" type="submit" disabled={busy}>
            {measured === undefined ? text.save : common.close}
          </Button>
        </>
      }
    >
      <Problem text={problem} />
      <Field label={text.speed} hint={text.speedHint}>
        <input
          className="mono"
          required
          spellCheck={false}
          value={speed}
          onChange={(event) => {
            setSpeed(event.target.value.trim())
            setMeasured(undefined)
          }}
        />
      </Field>
      <Measure node={name} busy={busy} onMeasure={measure} />
      {measured !== undefined && (
        <p role="status">{text.measured(formatCpu(measured.node.speedMilli ?? 1000), measured.against)}</p>
      )}
    </Dialog>
  )
}

interface MeasureProps {
  readonly node: string
  readonly busy: boolean
  readonly onMeasure: (against: string) => void
}

function Measure({ node, busy, onMeasure }: MeasureProps) {
  const { placing: text } = useText()
  const nodes = useGlance('listNodes', {})
  const [against, setAgainst] = useState('')
  return (
    <div className="measure">
      <Field label={text.against} hint={text.measureHint}>
        <select value={against} onChange={(event) => setAgainst(event.target.value)}>
          <option value="">{text.anyNode}</option>
          {nodes
            .filter((each) => each.online && each.name !== node)
            .map((each) => (
              <option key={each.name}>{each.name}</option>
            ))}
        </select>
      </Field>
      <Button disabled={busy} onClick={() => onMeasure(against)}>
        {busy ? text.measuring : text.measure}
      </Button>
    </div>
  )
}

function milliOf(text: string): number {
  const read = parseCpu(text)
  if (read.ok) return read.value
  throw new BerthError('node.invalid', read.message)
}
