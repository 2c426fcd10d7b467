import { useState } from 'react'
import { FormDialog, WordField } from '../components/form-dialog.tsx'
import { Field } from '../components/small.tsx'
import { useText } from '../i18n/language.tsx'
import { useSubmit } from '../live/use-submit.ts'
import { useClient } from '../store/context.tsx'

const modes = ['macvlan', 'flat'] as const
const empty = {
  name: '',
  mode: 'macvlan' as (typeof modes)[number],
  parent: '',
  vlan: '',
  subnet: '',
  gateway: '',
  range: '',
}

/** A network that machines are on is made known: the server says what is wrong with it. */
export function LanDialog({ onClose }: { readonly onClose: () => void }) {
  const { lanForm: text, groups } = useText()
  const client = useClient()
  const { busy, problem, submit } = useSubmit()
  const [form, setForm] = useState(empty)
  const { name, mode, parent, vlan, subnet, gateway, range } = form
  const save = () =>
    submit({
      run: () =>
        client.call('createLan', {
          body: {
            ...{ name, mode, parent, subnet },
            ...(vlan === '' ? {} : { vlan: Number(vlan) }),
            ...(gateway === '' ? {} : { gateway }),
            ...(range === '' ? {} : { range }),
          },
        }),
      done: text.saved(name),
      after: onClose,
    })
  const field = (key: Exclude<keyof typeof empty, 'mode'>, placeholder: string, hint?: string) => (
    <WordField
      label={text[key]}
      hint={hint}
      placeholder={placeholder}
      value={form[key]}
      onChange={(value) => setForm({ ...form, [key]: value.trim() })}
    />
  )
  return (
    <FormDialog
      wide
      title={text.title}
      verb={groups.save}
      ready={name !== '' && parent !== '' && subnet !== ''}
      busy={busy}
      problem={problem}
      onSave={save}
      onClose={onClose}
    >
      {field('name', 'lan')}
      <Field label={text.mode}>
        <select value={mode} onChange={(event) => setForm({ ...form, mode: event.target.value as typeof mode })}>
          {modes.map((each) => (
            <option key={each} value={each}>
              {text.modes[each]}
            </option>
          ))}
        </select>
      </Field>
      <div className="field-row">
        {field('parent', 'eth1')}
        {field('vlan', '', text.vlanHint)}
      </div>
      <div className="field-row">
        {field('subnet', '192.168.7.0/24')}
        {field('gateway', '192.168.7.1')}
        {field('range', '192.168.7.128/25', text.rangeHint)}
      </div>
    </FormDialog>
  )
}
