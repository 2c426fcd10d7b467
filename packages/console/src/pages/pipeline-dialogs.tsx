import type { Answer } from '@berth/api/client'
import type { PipelineView } from '@berth/api/pipeline-resources'
import { useState } from 'react'
import { RoleButton } from '../components/button.tsx'
import { FormDialog, WordField } from '../components/form-dialog.tsx'
import { ShownOnce } from '../components/shown-once.tsx'
import { useText } from '../i18n/language.tsx'
import { useAction } from '../live/use-action.ts'
import { useSubmit } from '../live/use-submit.ts'
import { useClient } from '../store/context.tsx'
import { type PipelineForm, pipelineDocument, pipelineForm } from './pipeline-form.ts'

interface PipelineButtonsProps {
  readonly app: string
  /** Absent: there is none yet. */
  readonly pipeline: PipelineView | undefined
  readonly onChanged: () => void
}

/** To make or change it, to look now, to have forges tell of pushes, to forget it. */
export function PipelineButtons({ app, pipeline, onChanged }: PipelineButtonsProps) {
  const { pipelineForm: text } = useText()
  const client = useClient()
  const { busy, act } = useAction()
  const [editing, setEditing] = useState(false)
  const [made, setMade] = useState<Answer<'createWebhookSecret'>>()
  const params = { app }
  const look = () =>
    act({
      run: () => client.call('lookAtPipeline', { params, body: {} }),
      done: ({ builds }) => text.looked(builds.length),
    }).then(onChanged)
  const newSecret = async () => {
    const answer = await act({
      ...(pipeline?.webhook === undefined
        ? {}
        : { ask: { title: text.secretTitle(app), body: <p>{text.secretText}</p>, verb: text.secret } }),
      run: () => client.call('createWebhookSecret', { params }),
      done: text.secretMade(app),
    })
    setMade(answer)
    onChanged()
  }
  const forget = async () => {
    await act({
      ask: { title: text.forgetTitle(app), body: <p>{text.forgetText}</p>, verb: text.forget, danger: true },
      run: () => client.call('removePipeline', { params }),
      done: text.forgotten(app),
    })
    onChanged()
  }
  return (
    <span className="row-actions">
      <RoleButton
        needs="deployer"
        {...(pipeline === undefined ? { kind: 'primary' } : { small: true })}
        onClick={() => setEditing(true)}
      >
        {pipeline === undefined ? text.make : text.change}
      </RoleButton>
      {pipeline !== undefined && (
        <>
          <RoleButton needs="deployer" small disabled={busy} onClick={() => void look()}>
            {text.look}
          </RoleButton>
          <RoleButton needs="deployer" small disabled={busy} onClick={() => void newSecret()}>
            {text.secret}
          </RoleButton>
          <RoleButton needs="deployer" small kind="danger" disabled={busy} onClick={() => void forget()}>
            {text.forget}
          </RoleButton>
        </>
      )}
      {editing && (
        <PipelineDialog app={app} pipeline={pipeline} onSaved={onChanged} onClose={() => setEditing(false)} />
      )}
      {made !== undefined && (
        <ShownOnce
          title={text.secretMade(app)}
          warning={text.secretOnce}
          texts={[
            { label: text.address, value: `${location.origin}${made.path}`, hint: text.forgeHint },
            { label: text.secretWord, value: made.secret },
          ]}
          kept={text.kept}
          onClose={() => setMade(undefined)}
        />
      )}
    </span>
  )
}

interface PipelineDialogProps {
  readonly app: string
  readonly pipeline: PipelineView | undefined
  readonly onSaved: () => void
  readonly onClose: () => void
}

function PipelineDialog({ app, pipeline, onSaved, onClose }: PipelineDialogProps) {
  const { pipelineForm: text, groups } = useText()
  const client = useClient()
  const { busy, problem, submit } = useSubmit()
  const [form, setForm] = useState(() => pipelineForm(pipeline))
  const save = () =>
    submit({
      // Only if nobody else has changed it meanwhile.
      run: async () =>
        client.call('setPipeline', {
          params: { app },
          query: { version: pipeline?.version ?? 0 },
          body: pipelineDocument(form),
        }),
      done: text.saved(app),
      after: () => {
        onSaved()
        onClose()
      },
    })
  const field = (key: keyof PipelineForm) => (
    <WordField
      label={text[key]}
      hint={text[`${key}Hint`]}
      value={form[key]}
      onChange={(value) => setForm({ ...form, [key]: value })}
    />
  )
  return (
    <FormDialog
      wide
      title={text.title(app)}
      verb={groups.save}
      busy={busy}
      problem={problem}
      onSave={save}
      onClose={onClose}
    >
      <div className="field-row">
        {field('branches')}
        {field('tags')}
      </div>
      <div className="field-row">
        {field('environments')}
        {field('automatic')}
      </div>
      <div className="field-row">
        {field('deploy')}
        {field('poll')}
      </div>
    </FormDialog>
  )
}
