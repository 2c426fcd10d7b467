import type { AppView } from '@berth/api/app-resources'
import { useState } from 'react'
import { Button } from '../components/button.tsx'
import { Dialog } from '../components/dialog.tsx'
import { Problem } from '../components/layout.tsx'
import { Check, Field } from '../components/small.tsx'
import { useText } from '../i18n/language.tsx'
import { useSubmit } from '../live/use-submit.ts'
import { navigate } from '../router/location.ts'
import { path } from '../router/match-path.ts'
import { useClient } from '../store/context.tsx'

/** Makes a release of a commit; nothing is rolled out. */
export function BuildDialog({ app, onClose }: { readonly app: AppView; readonly onClose: () => void }) {
  const { builds: text, common, deploy } = useText()
  const client = useClient()
  const { busy, problem, submit } = useSubmit()
  const [ref, setRef] = useState('HEAD')
  const [noReuse, setNoReuse] = useState(false)
  const build = () =>
    submit({
      run: () => client.call('startBuild', { params: { app: app.name }, body: { ref, noReuse } }),
      after: ({ id }) => {
        onClose()
        navigate(path('builds', id))
      },
    })
  return (
    <Dialog
      title={text.title(app.name)}
      onClose={onClose}
      onSubmit={build}
      footer={
        <>
          <Button onClick={onClose}>{common.cancel}</Button>
          <Button kind="primary" type="submit" disabled={busy || ref === ''}>
            {text.build}
          </Button>
        </>
      }
    >
      <Problem text={problem} />
      <p className="muted">{text.hint}</p>
      <Field label={deploy.ref}>
        <input
          className="mono"
          required
          autoFocus
          spellCheck={false}
          value={ref}
          onChange={(event) => setRef(event.target.value.trim())}
        />
      </Field>
      <Check label={text.noReuse} checked={noReuse} onChange={setNoReuse} />
    </Dialog>
  )
}
