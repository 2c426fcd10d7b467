import type { ExternalView } from '@berth/api/name-resources'
import { useState } from 'react'
import { FormDialog, WordField } from '../components/form-dialog.tsx'
import { Field } from '../components/small.tsx'
import { useText } from '../i18n/language.tsx'
import { useSubmit } from '../live/use-submit.ts'
import { useClient } from '../store/context.tsx'
import { type ExternalForm, externalDocument, externalForm } from './external-form.ts'

interface ExternalDialogProps {
  readonly external?: ExternalView | undefined
  readonly onClose: () => void
}

export function ExternalDialog({ external, onClose }: ExternalDialogProps) {
  const { network: text, groups } = useText()
  const client = useClient()
  const { busy, problem, submit } = useSubmit()
  const [form, setForm] = useState(() => externalForm(external))
  const save = () =>
    submit({
      run: async () => {
        const body = externalDocument(form, external)
        return client.call('setExternal', {
          params: { name: form.name },
          query: { version: external?.version ?? 0 },
          body,
        })
      },
      done: text.externals.saved(form.name),
      after: onClose,
    })
  const field = (key: keyof ExternalForm, label: string, hint?: string) => (
    <WordField label={label} hint={hint} value={form[key]} onChange={(value) => setForm({ ...form, [key]: value })} />
  )
  return (
    <FormDialog
      wide
      title={external === undefined ? text.externals.add : text.externals.changeTitle(external.name)}
      verb={groups.save}
      ready={form.name !== '' && form.is !== ''}
      busy={busy}
      problem={problem}
      onSave={save}
      onClose={onClose}
    >
      {external === undefined && field('name', text.externals.name, text.externals.nameHint)}
      {field('is', text.externals.is, text.externals.isHint)}
      {field('ports', text.externals.ports, 'mysql=3306 dns=53/udp')}
      <div className="field-row">
        {field('tags', text.profiles.tags, text.externals.tagsHint)}
        {field('site', text.externals.site)}
      </div>
      <Field label={text.externals.routes} hint={text.externals.routesHint}>
        <textarea
          className="mono"
          rows={2}
          spellCheck={false}
          value={form.routes}
          onChange={(event) => setForm({ ...form, routes: event.target.value })}
        />
      </Field>
    </FormDialog>
  )
}
