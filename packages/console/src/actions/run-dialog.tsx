import type { PoolView } from '@berth/api/app-resources'
import { useState } from 'react'
import { Button } from '../components/button.tsx'
import { Dialog } from '../components/dialog.tsx'
import { Problem } from '../components/layout.tsx'
import { Field } from '../components/small.tsx'
import { splitWords } from '../format/words.ts'
import { useText } from '../i18n/language.tsx'
import { useGlance } from '../live/use-glance.ts'
import { useSubmit } from '../live/use-submit.ts'
import { newestFirst } from '../pages/release-table.tsx'
import { navigate } from '../router/location.ts'
import { path } from '../router/match-path.ts'
import { useClient } from '../store/context.tsx'

interface RunDialogProps {
  readonly app: string
  readonly pool: PoolView
  /** What is chosen when it opens. */
  readonly entrypoint?: string
  readonly command?: string
  readonly onClose: () => void
}

/** A job entrypoint as it is, or a command in a new instance with an entrypoint's environment and secrets. */
export function RunDialog({ app, pool, onClose, ...start }: RunDialogProps) {
  const { jobs: text, common } = useText()
  const client = useClient()
  const { busy, problem, submit } = useSubmit()
  const [entrypoint, setEntrypoint] = useState(start.entrypoint ?? firstOf(pool))
  const [line, setLine] = useState(start.command ?? '')
  const [release, setRelease] = useState('')
  const isJob = pool.entrypoints.find(({ name }) => name === entrypoint)?.type === 'job'
  const words = splitWords(line)
  const complete = words !== undefined && (isJob || words.length > 0)
  const run = () => {
    const command = words === undefined || words.length === 0 ? {} : { command: [...words] }
    const body = { entrypoint, ...command, ...(release === '' ? {} : { release }) }
    submit({
      run: () => client.call('runJob', { params: { app, pool: pool.name }, body }),
      done: text.started(`${app}/${pool.name}`),
      after: ({ id }) => {
        onClose()
        navigate(path('instances', id))
      },
    })
  }
  return (
    <Dialog
      wide
      title={text.runIn(`${app}/${pool.name}`)}
      onClose={onClose}
      onSubmit={run}
      footer={
        <>
          <Button onClick={onClose}>{common.cancel}</Button>
          <Button kind="primary" type="submit" icon="play" disabled={busy || !complete}>
            {text.run}
          </Button>
        </>
      }
    >
      <Problem text={problem} />
      <Field label={text.entrypoint} hint={isJob ? text.jobHint : text.serviceHint}>
        <select value={entrypoint} onChange={(event) => setEntrypoint(event.target.value)}>
          {pool.entrypoints.map(({ name, type }) => (
            <option key={name} value={name}>{`${name} · ${type === 'job' ? text.job : text.service}`}</option>
          ))}
        </select>
      </Field>
      <Field
        label={isJob ? text.otherCommand : text.command}
        hint={words === undefined ? text.openQuote : text.commandHint}
      >
        <input
          className="mono"
          spellCheck={false}
          autoComplete="off"
          placeholder={isJob ? text.ownCommand : 'node scripts/fix.js --dry-run'}
          value={line}
          required={!isJob}
          onChange={(event) => setLine(event.target.value)}
        />
      </Field>
      <ReleaseField app={app} running={pool.release} value={release} onChange={setRelease} />
    </Dialog>
  )
}

const firstOf = ({ entrypoints }: PoolView): string =>
  (entrypoints.find(({ type }) => type === 'job') ?? entrypoints[0])?.name ?? ''

interface ReleaseFieldProps {
  readonly app: string
  readonly running: string | undefined
  readonly value: string
  readonly onChange: (release: string) => void
}

function ReleaseField({ app, running, value, onChange }: ReleaseFieldProps) {
  const { jobs: text, instance } = useText()
  const releases = useGlance('listReleases', { params: { app } })
  return (
    <Field label={instance.release}>
      <select value={value} onChange={(event) => onChange(event.target.value)}>
        <option value="">{text.runningRelease(running ?? '–')}</option>
        {newestFirst(releases)
          .filter(({ id }) => id !== running)
          .map(({ id, subject }) => (
            <option key={id} value={id}>
              {[id, subject].filter(Boolean).join(' · ')}
            </option>
          ))}
      </select>
    </Field>
  )
}
