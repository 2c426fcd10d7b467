import type { SavedPlan } from '@berth/api/planning-resources'
import { messageOf } from '@berth/core/model/berth-error'
import { useState } from 'react'
import { Age } from '../components/age.tsx'
import { Button } from '../components/button.tsx'
import { Dialog } from '../components/dialog.tsx'
import { FileField } from '../components/file-field.tsx'
import { Facts, Problem } from '../components/layout.tsx'
import { useText } from '../i18n/language.tsx'
import { readPlan, sizeOf } from './saved-plan.ts'
import { useApply } from './use-apply.ts'

/** Does what a file of before says, or tells what has moved since. */
export function ApplyDialog({ onClose }: { readonly onClose: () => void }) {
  const { plan: text, common } = useText()
  const { busy, problem, apply } = useApply()
  const [file, setFile] = useState('')
  const read = readFile(file)
  return (
    <Dialog
      wide
      title={text.applyTitle}
      onClose={onClose}
      onSubmit={() => read.plan !== undefined && apply(read.plan, onClose)}
      footer={
        <>
          <Button onClick={onClose}>{common.cancel}</Button>
          <Button kind="primary" type="submit" disabled={busy || read.plan === undefined}>
            {text.apply}
          </Button>
        </>
      }
    >
      <Problem text={problem ?? read.problem} />
      <p className="muted">{text.applyHint}</p>
      <FileField label={text.file} accept=".json,application/json" value={file} onChange={setFile} />
      {read.plan !== undefined && <PlanFacts plan={read.plan} />}
    </Dialog>
  )
}

function readFile(text: string): { readonly plan?: SavedPlan; readonly problem?: string } {
  if (text.trim() === '') return {}
  try {
    return { plan: readPlan(text) }
  } catch (error) {
    return { problem: messageOf(error) }
  }
}

function PlanFacts({ plan }: { readonly plan: SavedPlan }) {
  const { plan: text, units, instance } = useText()
  const { instances, nodes } = sizeOf(plan)
  return (
    <Facts
      facts={[
        [text.target, `${plan.app}/${plan.pool}`],
        [instance.release, plan.release],
        [
          text.counts,
          Object.entries(plan.replicas)
            .map(([name, count]) => `${name} ${count}`)
            .join(', '),
        ],
        [text.places, `${units.instances(instances)} · ${units.nodes(nodes)}`],
        [text.plannedAt, <Age key="a" at={plan.plannedAt} />],
      ]}
    />
  )
}
