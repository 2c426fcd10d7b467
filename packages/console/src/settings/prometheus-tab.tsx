import { BerthError, messageOf } from '@berth/core/model/berth-error'
import { useState } from 'react'
import { Age } from '../components/age.tsx'
import { RoleButton } from '../components/button.tsx'
import { FormDialog, WordField } from '../components/form-dialog.tsx'
import { Empty, Facts, Problem, Section } from '../components/layout.tsx'
import { By, Code } from '../components/small.tsx'
import { Skeleton } from '../components/table.tsx'
import { useText } from '../i18n/language.tsx'
import { useAction } from '../live/use-action.ts'
import { useOne } from '../live/use-one.ts'
import { useSubmit } from '../live/use-submit.ts'
import { useClient } from '../store/context.tsx'

/** Which Prometheus gates of rollouts ask. */
export function PrometheusTab() {
  const { prometheus: text, clusterSettings: settings } = useText()
  const client = useClient()
  const [changes, setChanges] = useState(0)
  const [editing, setEditing] = useState(false)
  const { busy, act } = useAction()
  const { value, error } = useOne('getPrometheus', {}, changes)
  const isNone = error instanceof BerthError && error.code === 'prometheus.not-set'
  if (value === undefined && error === undefined) return <Skeleton />
  const again = () => setChanges(changes + 1)
  const remove = async () => {
    await act({
      ask: { title: text.removeTitle, body: <p>{text.removeText}</p>, verb: settings.remove, danger: true },
      run: () => client.call('removePrometheus', {}),
      done: text.removed,
    })
    again()
  }
  return (
    <>
      {error !== undefined && !isNone && <Problem text={messageOf(error)} />}
      <Section>
        {value === undefined ? (
          <Empty icon="activity" title={text.none} hint={text.noneHint}>
            <RoleButton needs="admin" kind="primary" onClick={() => setEditing(true)}>
              {text.set}
            </RoleButton>
          </Empty>
        ) : (
          <>
            <Facts
              facts={[
                [
                  text.url,
                  <Code key="url" copy>
                    {value.url}
                  </Code>,
                ],
                [
                  text.changed,
                  <span key="changed">
                    <Age at={value.updatedAt} /> <By who={value.updatedBy} />
                  </span>,
                ],
              ]}
            />
            <p className="row-actions">
              <RoleButton needs="admin" small onClick={() => setEditing(true)}>
                {text.change}
              </RoleButton>
              <RoleButton needs="admin" small kind="danger" disabled={busy} onClick={() => void remove()}>
                {settings.remove}
              </RoleButton>
            </p>
          </>
        )}
      </Section>
      {editing && <PrometheusDialog now={value?.url ?? ''} onSaved={again} onClose={() => setEditing(false)} />}
    </>
  )
}

interface PrometheusDialogProps {
  readonly now: string
  readonly onSaved: () => void
  readonly onClose: () => void
}

function PrometheusDialog({ now, onSaved, onClose }: PrometheusDialogProps) {
  const { prometheus: text, clusterSettings: settings } = useText()
  const client = useClient()
  const { busy, problem, submit } = useSubmit()
  const [url, setUrl] = useState(now)
  const save = () =>
    submit({
      run: () => client.call('setPrometheus', { body: { url: url.trim() } }),
      done: text.saved(url.trim()),
      after: () => {
        onSaved()
        onClose()
      },
    })
  return (
    <FormDialog
      title={settings.tabs.prometheus}
      verb={text.set}
      ready={url.trim() !== ''}
      busy={busy}
      problem={problem}
      onSave={save}
      onClose={onClose}
    >
      <WordField label={text.url} hint={text.urlHint} value={url} onChange={setUrl} />
    </FormDialog>
  )
}
