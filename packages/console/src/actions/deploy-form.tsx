import type { AppView } from '@berth/api/app-resources'
import { useState } from 'react'
import { Field } from '../components/small.tsx'
import { useText } from '../i18n/language.tsx'
import { newestFirst } from '../pages/release-table.tsx'
import { useList } from '../store/context.tsx'

export interface DeployChoice {
  readonly kind: 'commit' | 'release'
  readonly ref: string
  readonly release: string
  readonly pool: string
}

export const isComplete = ({ kind, ref, release, pool }: DeployChoice): boolean =>
  pool !== '' && (kind === 'commit' ? ref !== '' : release !== '')

interface DeployFormProps {
  readonly app: AppView
  readonly choice: DeployChoice
  readonly onChange: (choice: DeployChoice) => void
}

export function DeployForm({ app, choice, onChange }: DeployFormProps) {
  const text = useText()
  return (
    <>
      <fieldset className="choice">
        <legend>{text.deploy.what}</legend>
        {(['commit', 'release'] as const).map((kind) => (
          <label key={kind}>
            <input
              type="radio"
              name="what"
              checked={choice.kind === kind}
              onChange={() => onChange({ ...choice, kind })}
            />
            <span>{text.deploy[kind]}</span>
          </label>
        ))}
      </fieldset>
      {choice.kind === 'commit' ? (
        <Field label={text.deploy.ref} hint={text.deploy.refHint}>
          <input
            className="mono"
            required
            spellCheck={false}
            value={choice.ref}
            onChange={(event) => onChange({ ...choice, ref: event.target.value.trim() })}
          />
        </Field>
      ) : (
        <ReleaseChoice app={app.name} value={choice.release} onChange={(release) => onChange({ ...choice, release })} />
      )}
      <PoolChoice app={app} value={choice.pool} onChange={(pool) => onChange({ ...choice, pool })} />
    </>
  )
}

interface ChoiceProps<T> {
  readonly app: T
  readonly value: string
  readonly onChange: (value: string) => void
}

function ReleaseChoice({ app, value, onChange }: ChoiceProps<string>) {
  const text = useText()
  const releases = useList('listReleases', { params: { app } })
  return (
    <Field
      label={text.instance.release}
      {...(releases.state === 'live' && releases.items.length === 0 ? { hint: text.deploy.noReleases } : {})}
    >
      <select value={value} onChange={(event) => onChange(event.target.value)}>
        {newestFirst(releases.items).map((release) => (
          <option key={release.id} value={release.id}>
            {[release.id, release.commit?.slice(0, 8), release.subject].filter(Boolean).join(' · ')}
          </option>
        ))}
      </select>
    </Field>
  )
}

function PoolChoice({ app, value, onChange }: ChoiceProps<AppView>) {
  const text = useText()
  const known = app.pools.some((pool) => pool.name === value)
  const [other, setOther] = useState(!known)
  return (
    <>
      <Field label={text.deploy.environment}>
        <select
          value={other ? '' : value}
          onChange={(event) => {
            setOther(event.target.value === '')
            onChange(event.target.value)
          }}
        >
          {app.pools.map((pool) => (
            <option key={pool.name}>{pool.name}</option>
          ))}
          <option value="">{text.deploy.newEnvironment}</option>
        </select>
      </Field>
      {other && (
        <Field label={text.deploy.environmentName}>
          <input
            className="mono"
            required
            pattern="[a-z]([a-z0-9-]*[a-z0-9])?"
            spellCheck={false}
            value={value}
            onChange={(event) => onChange(event.target.value.trim())}
          />
        </Field>
      )}
    </>
  )
}
