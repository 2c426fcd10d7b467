import type { AppView } from '@berth/api/app-resources'
import { useState } from 'react'
import { Button } from '../components/button.tsx'
import { Dialog } from '../components/dialog.tsx'
import { Problem } from '../components/layout.tsx'
import { Field } from '../components/small.tsx'
import { useText } from '../i18n/language.tsx'
import { useSubmit } from '../live/use-submit.ts'
import { useClient } from '../store/context.tsx'

interface SecretDialogProps {
  readonly app: AppView
  readonly start: { readonly name?: string; readonly environment?: string | undefined }
  readonly onClose: () => void
}

export function SecretDialog({ app, start, onClose }: SecretDialogProps) {
  const text = useText()
  const client = useClient()
  const { busy, problem, submit } = useSubmit()
  const [name, setName] = useState(start.name ?? '')
  const [environment, setEnvironment] = useState(start.environment ?? '')
  const [value, setValue] = useState('')
  const environments = [...new Set(app.pools.map((pool) => pool.environment))]
  const set = () => {
    const body = environment === '' ? { value } : { value, environment }
    submit({
      run: () => client.call('setSecret', { params: { app: app.name, name }, body }),
      done: text.done.secretSet(name),
      after: onClose,
    })
  }
  return (
    <Dialog
      title={text.secret.title(app.name)}
      onClose={onClose}
      onSubmit={set}
      footer={
        <>
          <Button onClick={onClose}>{text.common.cancel}</Button>
          <Button kind="primary" type="submit" disabled={busy || name === '' || value === ''}>
            {text.secret.submit}
          </Button>
        </>
      }
    >
      <Problem text={problem} />
      <Field label={text.secrets.name} hint={text.secret.nameHint}>
        <input
          className="mono"
          required
          spellCheck={false}
          value={name}
          readOnly={start.name !== undefined}
          onChange={(event) => setName(event.target.value.trim())}
        />
      </Field>
      <Field label={text.secrets.value} hint={text.secret.valueHint}>
        <textarea
          className="mono"
          required
          rows={3}
          spellCheck={false}
          autoComplete="off"
          value={value}
          onChange={(event) => setValue(event.target.value)}
        />
      </Field>
      <Field label={text.secrets.scope}>
        <select
          value={environment}
          disabled={start.name !== undefined}
          onChange={(event) => setEnvironment(event.target.value)}
        >
          <option value="">{text.secrets.everywhere}</option>
          {environments.map((each) => (
            <option key={each}>{each}</option>
          ))}
        </select>
      </Field>
    </Dialog>
  )
}
