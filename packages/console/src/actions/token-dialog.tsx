import type { Answer } from '@berth/api/client'
import { useState } from 'react'
import { FormDialog, WordField } from '../components/form-dialog.tsx'
import { ShownOnce } from '../components/shown-once.tsx'
import { Field } from '../components/small.tsx'
import { useText } from '../i18n/language.tsx'
import { useSession } from '../live/session.tsx'
import { useSubmit } from '../live/use-submit.ts'
import { useClient } from '../store/context.tsx'

const roles = ['viewer', 'deployer', 'admin'] as const
const dayMs = 86_400_000
const lifetimes = [30, 90, 365] as const

export function TokenDialog({ onClose }: { readonly onClose: () => void }) {
  const [made, setMade] = useState<Answer<'createToken'>>()
  return made === undefined ? (
    <TokenForm onMade={setMade} onClose={onClose} />
  ) : (
    <NewToken made={made} onClose={onClose} />
  )
}

interface TokenFormProps {
  readonly onMade: (made: Answer<'createToken'>) => void
  readonly onClose: () => void
}

function TokenForm({ onMade, onClose }: TokenFormProps) {
  const { tokens: text } = useText()
  const client = useClient()
  const { busy, problem, submit } = useSubmit()
  const [name, setName] = useState('')
  const [owner, setOwner] = useState('')
  const [role, setRole] = useState<(typeof roles)[number]>('deployer')
  const [days, setDays] = useState('90')
  const create = () => {
    const ttl = days === '' ? {} : { ttlMs: Number(days) * dayMs }
    const body = { name, role, owner: owner.trim() === '' ? name : owner.trim(), ...ttl }
    submit({ run: () => client.call('createToken', { body }), after: onMade })
  }
  return (
    <FormDialog
      title={text.create}
      verb={text.submit}
      ready={name !== ''}
      busy={busy}
      problem={problem}
      onSave={create}
      onClose={onClose}
    >
      <WordField
        label={text.name}
        hint={text.nameHint}
        required
        autoFocus
        value={name}
        onChange={(value) => setName(value.trim())}
      />
      <Field label={text.owner} hint={text.ownerHint}>
        <input value={owner} placeholder={name} autoComplete="off" onChange={(event) => setOwner(event.target.value)} />
      </Field>
      <fieldset className="choice choice-lines">
        <legend>{text.role}</legend>
        {roles.map((each) => (
          <label key={each}>
            <input type="radio" name="role" checked={role === each} onChange={() => setRole(each)} />
            <span>
              <strong>{each}</strong> <span className="muted">{text.roles[each]}</span>
            </span>
          </label>
        ))}
      </fieldset>
      <Field label={text.lifetime}>
        <select value={days} onChange={(event) => setDays(event.target.value)}>
          {lifetimes.map((each) => (
            <option key={each} value={each}>
              {text.days(each)}
            </option>
          ))}
          <option value="">{text.forEver}</option>
        </select>
      </Field>
    </FormDialog>
  )
}

function NewToken({ made, onClose }: { readonly made: Answer<'createToken'>; readonly onClose: () => void }) {
  const { tokens: text } = useText()
  const { authority } = useSession()
  const trust = authority === undefined ? '' : ` --fingerprint ${authority.fingerprint}`
  return (
    <ShownOnce
      title={text.made(made.name)}
      warning={text.onlyNow}
      texts={[
        { label: text.text, value: made.token },
        {
          label: text.commandLine,
          value: `berth context add berth ${location.origin}${trust}`,
          hint: text.commandLineHint,
        },
      ]}
      kept={text.kept}
      onClose={onClose}
    />
  )
}
