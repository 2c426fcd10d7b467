import type { Answer } from '@berth/api/client'
import { useState } from 'react'
import { Until } from '../components/age.tsx'
import { Button } from '../components/button.tsx'
import { Dialog } from '../components/dialog.tsx'
import { Problem } from '../components/layout.tsx'
import { Code, Field } from '../components/small.tsx'
import { useText } from '../i18n/language.tsx'
import { useGlance } from '../live/use-glance.ts'
import { useSubmit } from '../live/use-submit.ts'
import { useClient } from '../store/context.tsx'

const hourMs = 3_600_000
const lifetimes = [1, 24, 168] as const

export function JoinDialog({ onClose }: { readonly onClose: () => void }) {
  const { join: text, common, placing } = useText()
  const client = useClient()
  const { busy, problem, submit } = useSubmit()
  const [hours, setHours] = useState('1')
  const [group, setGroup] = useState('')
  const groups = useGlance('listGroups', {})
  const [made, setMade] = useState<Answer<'createJoinToken'>>()
  const make = () =>
    submit({
      run: () =>
        client.call('createJoinToken', {
          body: { ttlMs: Number(hours) * hourMs, ...(group === '' ? {} : { group }) },
        }),
      after: setMade,
    })
  return (
    <Dialog
      wide
      title={text.title}
      onClose={onClose}
      onSubmit={made === undefined ? make : onClose}
      footer={
        <>
          {made === undefined && <Button onClick={onClose}>{common.cancel}</Button>}
          <Button kind="primary" type="submit" disabled={busy}>
            {made === undefined ? text.make : common.close}
          </Button>
        </>
      }
    >
      <Problem text={problem} />
      <p>{text.intro}</p>
      <p>
        {text.bySsh} <code>berth node add USER@HOST</code>
      </p>
      {made === undefined && groups.length > 1 && (
        <Field label={placing.group}>
          <select value={group} onChange={(event) => setGroup(event.target.value)}>
            <option value="">default</option>
            {groups
              .filter(({ name }) => name !== 'default')
              .map(({ name }) => (
                <option key={name}>{name}</option>
              ))}
          </select>
        </Field>
      )}
      {made === undefined ? (
        <Field label={text.lifetime}>
          <select value={hours} onChange={(event) => setHours(event.target.value)}>
            {lifetimes.map((each) => (
              <option key={each} value={each}>
                {text.hours(each)}
              </option>
            ))}
          </select>
        </Field>
      ) : (
        <div className="field">
          <span className="field-label">{text.command}</span>
          <div className="command">
            <Code copy>{made.command}</Code>
          </div>
          <span className="field-hint">
            {text.ends} <Until at={made.expiresAt} />
          </span>
        </div>
      )}
    </Dialog>
  )
}
