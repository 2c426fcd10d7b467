import type { ExternalView } from '@berth/api/name-resources'
import { useState } from 'react'
import { Button } from '../components/button.tsx'
import { Dialog } from '../components/dialog.tsx'
import { Problem } from '../components/layout.tsx'
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
  const { network: text, common, groups } = useText()
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
    <Field label={label} {...(hint === undefined ? {} : { hint })}>
      <input
        className="mono"
        spellCheck={false}
        autoComplete="off"
        value={form[key]}
        onChange={(event) => setForm({ ...form, [key]: event.target.value })}
      />
    </Field>
  )
  return (
    <Dialog
      wide
      title={external === undefined ? text.externals.add : text.externals.changeTitle(external.name)}
      onClose={onClose}
      onSubmit={save}
      footer={
        <>
          <Button onClick={onClose}>{common.cancel}</Button>
          <Button kind="primary" type="submit" disabled={busy || form.name === '' || form.is === ''}>
            {groups.save}
          </Button>
        </>
      }
    >
      <Problem text={problem} />
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
    </Dialog>
  )
}
