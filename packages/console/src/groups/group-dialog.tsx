import type { GroupView } from '@berth/api/scheduling-resources'
import { defaultImageLimits } from '@berth/core/model/image-limits'
import { useState } from 'react'
import { Button } from '../components/button.tsx'
import { Dialog } from '../components/dialog.tsx'
import { Problem } from '../components/layout.tsx'
import { Check, Field } from '../components/small.tsx'
import { useText } from '../i18n/language.tsx'
import { useSubmit } from '../live/use-submit.ts'
import { useClient } from '../store/context.tsx'
import { changesOf, emptyForm, formOf, type GroupForm, newRulesOf } from './group-form.ts'
import { ImageFields } from './image-fields.tsx'

interface GroupDialogProps {
  /** The one to change; absent: a new one. */
  readonly group?: GroupView
  readonly onClose: () => void
}

export function GroupDialog({ group, onClose }: GroupDialogProps) {
  const { groups: text, common } = useText()
  const client = useClient()
  const { busy, problem, submit } = useSubmit()
  const [start] = useState(() => (group === undefined ? emptyForm : formOf(group)))
  const [form, setForm] = useState(start)
  const change = (part: Partial<GroupForm>) => setForm({ ...form, ...part })
  const { name } = form
  const save = () =>
    submit({
      run: async () =>
        group === undefined
          ? await client.call('createGroup', { body: { name, ...newRulesOf(form) } })
          : await client.call('updateGroup', { params: { name }, body: changesOf(start, form) }),
      done: group === undefined ? text.created(name) : text.saved(name),
      after: onClose,
    })
  return (
    <Dialog
      wide
      title={group === undefined ? text.create : text.change(group.name)}
      onClose={onClose}
      onSubmit={save}
      footer={
        <>
          <Button onClick={onClose}>{common.cancel}</Button>
          <Button kind="primary" type="submit" disabled={busy || name === '' || form === start}>
            {group === undefined ? text.submit : text.save}
          </Button>
        </>
      }
    >
      <Problem text={problem} />
      {group === undefined && (
        <Field label={text.name}>
          <input
            className="mono"
            required
            autoFocus
            spellCheck={false}
            value={name}
            onChange={(event) => change({ name: event.target.value.trim() })}
          />
        </Field>
      )}
      <CpuRule form={form} onChange={change} />
      <Limits form={form} onChange={change} />
      <ImageFields
        form={form.images}
        otherwise={{ ...defaultImageLimits, rate: text.noLimit }}
        onChange={(images) => change({ images })}
      />
      <Owners form={form} onChange={change} />
      <Joining form={form} onChange={change} />
    </Dialog>
  )
}

interface PartProps {
  readonly form: GroupForm
  readonly onChange: (part: Partial<GroupForm>) => void
}

const bases = [10, 100, 1000] as const

function CpuRule({ form, onChange }: PartProps) {
  const { groups: text } = useText()
  return (
    <>
      <fieldset className="choice choice-lines">
        <legend>{text.cpuRule}</legend>
        {(['bound', 'shared'] as const).map((each) => (
          <label key={each}>
            <input type="radio" name="cpu" checked={form.cpu === each} onChange={() => onChange({ cpu: each })} />
            <span>
              <strong>{text.rules[each]}</strong> <span className="muted">{text.ruleHints[each]}</span>
            </span>
          </label>
        ))}
      </fieldset>
      <div className="field-row">
        {form.cpu === 'bound' && (
          <>
            <Field label={text.shareBase} hint={text.shareBaseHint}>
              <select
                value={form.shareBase}
                onChange={(event) =>
                  onChange({ shareBase: bases.find((each) => String(each) === event.target.value) ?? 10 })
                }
              >
                {bases.map((each) => (
                  <option key={each} value={each}>
                    {text.pieces(each)}
                  </option>
                ))}
              </select>
            </Field>
            <Field label={text.maxSharedCores} hint={text.maxSharedCoresHint}>
              <input
                type="number"
                min={0}
                placeholder={text.allOfThem}
                value={form.maxSharedCores}
                onChange={(event) => onChange({ maxSharedCores: event.target.value })}
              />
            </Field>
          </>
        )}
        <Field label={text.oversell} hint={form.cpu === 'bound' ? text.oversellBound : text.oversellShared}>
          <Amount value={form.oversell} onChange={(oversell) => onChange({ oversell })} placeholder="1" />
        </Field>
      </div>
    </>
  )
}

function Limits({ form, onChange }: PartProps) {
  const { groups: text } = useText()
  return (
    <div className="field-row">
      <Field label={text.quotaCpu} hint={text.quotaHint}>
        <Amount value={form.quotaCpu} onChange={(quotaCpu) => onChange({ quotaCpu })} placeholder={text.noLimit} />
      </Field>
      <Field label={text.quotaMemory}>
        <Amount value={form.quotaMemory} onChange={(quotaMemory) => onChange({ quotaMemory })} placeholder="512Gi" />
      </Field>
    </div>
  )
}

function Owners({ form, onChange }: PartProps) {
  const { groups: text } = useText()
  return (
    <>
      <Check label={text.limited} checked={form.limited} onChange={(limited) => onChange({ limited })} />
      {form.limited && (
        <Field label={text.owners} hint={text.ownersHint}>
          <input value={form.owners} onChange={(event) => onChange({ owners: event.target.value })} />
        </Field>
      )}
      <div className="field-row">
        <Field label={text.approveAbove} hint={text.approveAboveHint}>
          <Amount
            value={form.approveAbove}
            onChange={(approveAbove) => onChange({ approveAbove })}
            placeholder="64Gi"
          />
        </Field>
        {form.approveAbove !== '' && (
          <Field label={text.approvers} hint={text.approversHint}>
            <input value={form.approvers} onChange={(event) => onChange({ approvers: event.target.value })} />
          </Field>
        )}
      </div>
    </>
  )
}

function Joining({ form, onChange }: PartProps) {
  const { groups: text } = useText()
  return (
    <Field label={text.onJoin} hint={text.onJoinHint}>
      <input
        type="number"
        min={1}
        max={100}
        placeholder={text.onJoinNone}
        value={form.rebalanceOnJoin}
        onChange={(event) => onChange({ rebalanceOnJoin: event.target.value })}
      />
    </Field>
  )
}

interface AmountProps {
  readonly value: string
  readonly placeholder: string
  readonly onChange: (value: string) => void
}

const Amount = ({ value, placeholder, onChange }: AmountProps) => (
  <input
    className="mono"
    spellCheck={false}
    autoComplete="off"
    placeholder={placeholder}
    value={value}
    onChange={(event) => onChange(event.target.value)}
  />
)
