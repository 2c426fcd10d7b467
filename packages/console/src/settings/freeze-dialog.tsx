import { useState } from 'react'
import { FormDialog, WordField } from '../components/form-dialog.tsx'
import { Field } from '../components/small.tsx'
import { useText } from '../i18n/language.tsx'
import { useSubmit } from '../live/use-submit.ts'
import { useClient, useList } from '../store/context.tsx'
import { emptyFreeze, type FreezeForm, freezeDocument, isComplete } from './freeze-form.ts'

const kinds = ['once', 'again'] as const

export function FreezeDialog({ onClose }: { readonly onClose: () => void }) {
  const { freezes: text } = useText()
  const client = useClient()
  const apps = useList('listApps', {})
  const { busy, problem, submit } = useSubmit()
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone
  const [form, setForm] = useState(() => emptyFreeze(here))
  const change = (part: Partial<FreezeForm>) => setForm({ ...form, ...part })
  const save = () =>
    submit({
      run: async () => client.call('addFreeze', { body: freezeDocument(form) }),
      done: text.added(form.name),
      after: onClose,
    })
  const time = (key: 'from' | 'until') => (
    <Field label={text[key]} hint={text.clock(here)}>
      <input
        type="datetime-local"
        value={form[key]}
        onChange={(event) => change(key === 'from' ? { from: event.target.value } : { until: event.target.value })}
      />
    </Field>
  )
  return (
    <FormDialog
      wide
      title={text.add}
      verb={text.add}
      ready={isComplete(form)}
      busy={busy}
      problem={problem}
      onSave={save}
      onClose={onClose}
    >
      <WordField label={text.name} value={form.name} onChange={(name) => change({ name: name.trim() })} />
      <div className="field-row">
        <Field label={text.app}>
          <select value={form.app} onChange={(event) => change({ app: event.target.value })}>
            <option value="">{text.all}</option>
            {apps.items
              .map(({ name }) => name)
              .toSorted()
              .map((name) => (
                <option key={name} value={name}>
                  {name}
                </option>
              ))}
          </select>
        </Field>
        <WordField
          label={text.pool}
          hint={text.poolHint}
          value={form.pool}
          onChange={(pool) => change({ pool: pool.trim() })}
        />
      </div>
      <fieldset className="choice">
        <legend>{text.kind}</legend>
        {kinds.map((kind) => (
          <label key={kind}>
            <input type="radio" name="kind" checked={form.kind === kind} onChange={() => change({ kind })} />
            {text.kinds[kind]}
          </label>
        ))}
      </fieldset>
      <div className={form.kind === 'once' ? 'field-row field-row-broad' : 'field-row'}>
        {form.kind === 'once' ? (
          <>
            {time('from')}
            {time('until')}
          </>
        ) : (
          <>
            <WordField label={text.cron} hint={text.cronHint} value={form.cron} onChange={(cron) => change({ cron })} />
            <WordField
              label={text.length}
              hint={text.lengthHint}
              value={form.length}
              onChange={(length) => change({ length })}
            />
            <WordField label={text.zone} value={form.zone} onChange={(zone) => change({ zone: zone.trim() })} />
          </>
        )}
      </div>
      <Field label={text.reason} hint={text.reasonHint}>
        <input value={form.reason} autoComplete="off" onChange={(event) => change({ reason: event.target.value })} />
      </Field>
    </FormDialog>
  )
}
