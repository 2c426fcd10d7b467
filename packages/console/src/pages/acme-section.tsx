import type { AcmeView } from '@berth/api/traffic-resources'
import { useState } from 'react'
import { Until } from '../components/age.tsx'
import { RoleButton } from '../components/button.tsx'
import { FormDialog, WordField } from '../components/form-dialog.tsx'
import { Section } from '../components/layout.tsx'
import { Check, Field } from '../components/small.tsx'
import { Mark } from '../components/status.tsx'
import { type Column, Table } from '../components/table.tsx'
import { useText } from '../i18n/language.tsx'
import type { Tone } from '../live/states.ts'
import { useAction } from '../live/use-action.ts'
import { usePolled } from '../live/use-polled.ts'
import { useSubmit } from '../live/use-submit.ts'
import { useClient } from '../store/context.tsx'

type AcmeHost = AcmeView['hosts'][number]

const everyMs = 10_000
const tones: Readonly<Record<AcmeHost['state'], Tone>> = {
  ...{ own: 'ok', held: 'ok', due: 'busy', waits: 'bad', cannot: 'warn' },
}

/** Certificates that the server obtains and renews by itself, and how it stands with each host. */
export function AcmeSection() {
  const { acme: text } = useText()
  const client = useClient()
  const [changes, setChanges] = useState(0)
  const [editing, setEditing] = useState(false)
  const { busy, act } = useAction()
  const { value } = usePolled('getAcme', {}, everyMs, changes)
  if (value === undefined) return null
  const { directoryUrl, email, hosts } = value
  const again = () => setChanges(changes + 1)
  const turnOff = async () => {
    await act({
      ask: { title: text.offTitle, body: <p>{text.offText}</p>, verb: text.turnOff, danger: true },
      run: () => client.call('removeAcme', {}),
      done: text.isOff,
    })
    again()
  }
  const buttons = (
    <span className="row-actions">
      <RoleButton needs="admin" small onClick={() => setEditing(true)}>
        {directoryUrl === undefined ? text.turnOn : text.change}
      </RoleButton>
      {directoryUrl !== undefined && (
        <RoleButton needs="admin" small kind="danger" disabled={busy} onClick={() => void turnOff()}>
          {text.turnOff}
        </RoleButton>
      )}
    </span>
  )
  return (
    <Section title={text.title} aside={buttons} flush>
      <p className="pad muted">
        {directoryUrl === undefined ? text.off : `${text.from}: ${directoryUrl}`}
        {email !== undefined && ` · ${text.email} ${email}`}
      </p>
      {directoryUrl !== undefined &&
        (hosts.length === 0 ? <p className="pad">{text.none}</p> : <Hosts hosts={hosts} />)}
      {editing && <AcmeDialog now={value} onSaved={again} onClose={() => setEditing(false)} />}
    </Section>
  )
}

function Hosts({ hosts }: { readonly hosts: readonly AcmeHost[] }) {
  const { acme: text } = useText()
  const until = (at: number | undefined) => (at === undefined ? <span className="muted">–</span> : <Until at={at} />)
  const columns: readonly Column<AcmeHost>[] = [
    { key: 'host', title: text.host, lead: true, cell: ({ host }) => <code>{host}</code> },
    {
      key: 'state',
      title: text.state,
      cell: ({ state }) => (
        <span className={`status tone-${tones[state]}`}>
          <Mark tone={tones[state]} />
          {text.states[state]}
        </span>
      ),
    },
    { key: 'until', title: text.until, cell: ({ notAfter }) => until(notAfter) },
    { key: 'next', title: text.next, cell: ({ nextAt }) => until(nextAt) },
    { key: 'why', title: text.why, wide: true, cell: ({ message = '–' }) => message },
  ]
  // What failed is looked for first.
  const rows = hosts.toSorted((a, b) => Number(b.state === 'waits') - Number(a.state === 'waits'))
  return <Table label={text.title} columns={columns} rows={rows} rowKey={({ host }) => host} />
}

const letsEncrypt = 'https://acme-v02.api.letsencrypt.org/directory'

interface AcmeDialogProps {
  readonly now: AcmeView
  readonly onSaved: () => void
  readonly onClose: () => void
}

function AcmeDialog({ now, onSaved, onClose }: AcmeDialogProps) {
  const { acme: text } = useText()
  const client = useClient()
  const { busy, problem, submit } = useSubmit()
  const [directory, setDirectory] = useState(now.directoryUrl ?? letsEncrypt)
  const [email, setEmail] = useState(now.email ?? '')
  const [ca, setCa] = useState(now.caPem ?? '')
  const [agreed, setAgreed] = useState(false)
  const save = () => {
    const directoryUrl = directory.trim()
    const body = {
      ...{ directoryUrl, termsOfServiceAgreed: true as const },
      ...(email.trim() === '' ? {} : { email: email.trim() }),
      ...(ca.trim() === '' ? {} : { caPem: ca }),
    }
    submit({
      run: () => client.call('setAcme', { body }),
      done: text.isOn(directoryUrl),
      after: () => {
        onSaved()
        onClose()
      },
    })
  }
  return (
    <FormDialog
      wide
      title={text.dialog}
      verb={now.directoryUrl === undefined ? text.turnOn : text.change}
      ready={agreed && directory.trim() !== ''}
      busy={busy}
      problem={problem}
      onSave={save}
      onClose={onClose}
    >
      <WordField label={text.directory} value={directory} onChange={setDirectory} />
      <WordField label={text.email} hint={text.emailHint} type="email" value={email} onChange={setEmail} />
      <Field label={text.ca} hint={text.caHint}>
        <textarea
          className="mono"
          rows={3}
          spellCheck={false}
          value={ca}
          onChange={(event) => setCa(event.target.value)}
        />
      </Field>
      <Check label={text.terms} checked={agreed} onChange={setAgreed} />
    </FormDialog>
  )
}
