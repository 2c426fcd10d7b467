import type { DomainView } from '@berth/api/name-resources'
import { useState } from 'react'
import { FormDialog, WordField } from '../components/form-dialog.tsx'
import { Field } from '../components/small.tsx'
import { useText } from '../i18n/language.tsx'
import { useSubmit } from '../live/use-submit.ts'
import { useClient } from '../store/context.tsx'
import { domainDocument, domainForm, type Meaning, meanings } from './domain-form.ts'

interface DomainDialogProps {
  readonly domain?: DomainView | undefined
  readonly onClose: () => void
}

export function DomainDialog({ domain, onClose }: DomainDialogProps) {
  const {
    network: { domains: text },
    groups,
  } = useText()
  const client = useClient()
  const { busy, problem, submit } = useSubmit()
  const [form, setForm] = useState(() => domainForm(domain))
  const save = () =>
    submit({
      run: () =>
        client.call('setDomain', {
          params: { name: form.name },
          query: { version: domain?.version ?? 0 },
          body: domainDocument(form),
        }),
      done: text.saved(form.name),
      after: onClose,
    })
  return (
    <FormDialog
      title={domain === undefined ? text.add : text.changeTitle(domain.name)}
      verb={groups.save}
      ready={form.name !== '' && form.is.trim() !== ''}
      busy={busy}
      problem={problem}
      onSave={save}
      onClose={onClose}
    >
      {domain === undefined && (
        <WordField
          label={text.name}
          hint={text.nameHint}
          value={form.name}
          onChange={(name) => setForm({ ...form, name: name.trim() })}
        />
      )}
      <Field label={text.means}>
        <select
          value={form.meaning}
          onChange={(event) => setForm({ ...form, meaning: event.target.value as Meaning, is: '' })}
        >
          {meanings.map((each) => (
            <option key={each} value={each}>
              {text.meanings[each]}
            </option>
          ))}
        </select>
      </Field>
      <WordField
        label={text.fields[form.meaning]}
        hint={text.hints[form.meaning]}
        value={form.is}
        onChange={(is) => setForm({ ...form, is })}
      />
    </FormDialog>
  )
}
