import type { DomainView } from '@berth/api/name-resources'
import { useState } from 'react'
import { Button } from '../components/button.tsx'
import { Dialog } from '../components/dialog.tsx'
import { Problem } from '../components/layout.tsx'
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
    common,
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
    <Dialog
      title={domain === undefined ? text.add : text.changeTitle(domain.name)}
      onClose={onClose}
      onSubmit={save}
      footer={
        <>
          <Button onClick={onClose}>{common.cancel}</Button>
          <Button kind="primary" type="submit" disabled={busy || form.name === '' || form.is.trim() === ''}>
            {groups.save}
          </Button>
        </>
      }
    >
      <Problem text={problem} />
      {domain === undefined && (
        <Field label={text.name} hint={text.nameHint}>
          <input
            className="mono"
            spellCheck={false}
            autoComplete="off"
            value={form.name}
            onChange={(event) => setForm({ ...form, name: event.target.value.trim() })}
          />
        </Field>
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
      <Field label={text.fields[form.meaning]} hint={text.hints[form.meaning]}>
        <input
          className="mono"
          spellCheck={false}
          autoComplete="off"
          value={form.is}
          onChange={(event) => setForm({ ...form, is: event.target.value })}
        />
      </Field>
    </Dialog>
  )
}
