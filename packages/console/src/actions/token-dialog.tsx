import type { Answer } from '@berth/api/client'
import { useState } from 'react'
import { Button } from '../components/button.tsx'
import { Dialog } from '../components/dialog.tsx'
import { Banner, Problem } from '../components/layout.tsx'
import { Code, Field } from '../components/small.tsx'
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
  const { tokens: text, common } = useText()
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
    <Dialog
      title={text.create}
      onClose={onClose}
      onSubmit={create}
      footer={
        <>
          <Button onClick={onClose}>{common.cancel}</Button>
          <Button kind="primary" type="submit" disabled={busy || name === ''}>
            {text.submit}
          </Button>
        </>
      }
    >
      <Problem text={problem} />
      <Field label={text.name} hint={text.nameHint}>
        <input
          className="mono"
          required
          autoFocus
          spellCheck={false}
          autoComplete="off"
          value={name}
          onChange={(event) => setName(event.target.value.trim())}
        />
      </Field>
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
    </Dialog>
  )
}

function NewToken({ made, onClose }: { readonly made: Answer<'createToken'>; readonly onClose: () => void }) {
  const { tokens: text } = useText()
  const { authority } = useSession()
  const trust = authority === undefined ? '' : ` --fingerprint ${authority.fingerprint}`
  return (
    <Dialog
      title={text.made(made.name)}
      wide
      onClose={onClose}
      onSubmit={onClose}
      footer={
        <Button kind="primary" type="submit" autoFocus>
          {text.kept}
        </Button>
      }
    >
      <Banner tone="warn" title={text.onlyNow} />
      <div className="field">
        <span className="field-label">{text.text}</span>
        <div className="command">
          <Code copy>{made.token}</Code>
        </div>
      </div>
      <div className="field">
        <span className="field-label">{text.commandLine}</span>
        <div className="command">
          <Code copy>{`berth context add berth ${location.origin}${trust}`}</Code>
        </div>
        <span className="field-hint">{text.commandLineHint}</span>
      </div>
    </Dialog>
  )
}
