import { useState } from 'react'
import { RoleButton } from '../components/button.tsx'
import { FormDialog, WordField } from '../components/form-dialog.tsx'
import { useText } from '../i18n/language.tsx'
import { useOne } from '../live/use-one.ts'
import { useSubmit } from '../live/use-submit.ts'
import { useClient } from '../store/context.tsx'

/** Where short names of instances are looked for behind their own apps, in the whole cluster. */
export function SearchDomains() {
  const { network } = useText()
  const { search: text } = network
  const [saved, setSaved] = useState(0)
  const [changing, setChanging] = useState(false)
  const { value } = useOne('getRouting', {}, saved)
  if (value === undefined) return null
  const { searchDomains } = value
  return (
    <p className="asked muted small">
      <span>{searchDomains.length === 0 ? text.none : text.are(searchDomains.join(', '))}</span>
      <RoleButton needs="admin" small onClick={() => setChanging(true)}>
        {text.change}
      </RoleButton>
      {changing && (
        <ChangeDialog now={searchDomains} onSaved={() => setSaved(saved + 1)} onClose={() => setChanging(false)} />
      )}
    </p>
  )
}

interface ChangeDialogProps {
  readonly now: readonly string[]
  readonly onSaved: () => void
  readonly onClose: () => void
}

function ChangeDialog({ now, onSaved, onClose }: ChangeDialogProps) {
  const { network } = useText()
  const { search: text } = network
  const client = useClient()
  const { busy, problem, submit } = useSubmit()
  const [typed, setTyped] = useState(now.join(' '))
  const searchDomains = typed.split(/[\s,]+/).filter((each) => each !== '')
  const save = () =>
    submit({
      run: () => client.call('updateRouting', { body: { searchDomains } }),
      done: text.saved,
      after: () => {
        onSaved()
        onClose()
      },
    })
  return (
    <FormDialog title={text.title} verb={text.save} busy={busy} problem={problem} onSave={save} onClose={onClose}>
      <p className="muted">{text.about}</p>
      <WordField label={text.field} hint={text.hint} value={typed} onChange={setTyped} />
    </FormDialog>
  )
}
