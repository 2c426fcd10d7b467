import { useState } from 'react'
import { Button } from '../components/button.tsx'
import { Dialog } from '../components/dialog.tsx'
import { Problem } from '../components/layout.tsx'
import { Field } from '../components/small.tsx'
import { useText } from '../i18n/language.tsx'
import { useSubmit } from '../live/use-submit.ts'
import { navigate } from '../router/location.ts'
import { path } from '../router/match-path.ts'
import { useClient } from '../store/context.tsx'

const kinds = ['git', 'svn'] as const

/** Registers an app by its repository; what it consists of is in the repository's `berth.yaml`. */
export function NewAppDialog({ onClose }: { readonly onClose: () => void }) {
  const { newApp: text, common, settings } = useText()
  const client = useClient()
  const { busy, problem, submit } = useSubmit()
  const [repository, setRepository] = useState('')
  const [vcs, setVcs] = useState<(typeof kinds)[number]>('git')
  const [typed, setTyped] = useState<string>()
  const name = typed ?? nameFrom(repository)
  const create = () =>
    submit({
      run: () => client.call('createApp', { body: { name, repository, vcs } }),
      done: text.created(name),
      after: () => {
        onClose()
        navigate(`${path('apps', name)}?deploy=1`)
      },
    })
  return (
    <Dialog
      title={text.title}
      onClose={onClose}
      onSubmit={create}
      footer={
        <>
          <Button onClick={onClose}>{common.cancel}</Button>
          <Button kind="primary" type="submit" disabled={busy || name === '' || repository === ''}>
            {text.submit}
          </Button>
        </>
      }
    >
      <Problem text={problem} />
      <Field label={settings.repository} hint={text.repositoryHint}>
        <input
          className="mono"
          required
          autoFocus
          spellCheck={false}
          placeholder="https://git.example.com/team/app.git"
          value={repository}
          onChange={(event) => setRepository(event.target.value.trim())}
        />
      </Field>
      <fieldset className="choice">
        <legend>{settings.vcs}</legend>
        {kinds.map((kind) => (
          <label key={kind}>
            <input type="radio" name="vcs" checked={vcs === kind} onChange={() => setVcs(kind)} />
            <span>{text.kinds[kind]}</span>
          </label>
        ))}
      </fieldset>
      <Field label={text.name} hint={text.nameHint}>
        <input
          className="mono"
          required
          pattern="[a-z]([a-z0-9-]*[a-z0-9])?"
          spellCheck={false}
          value={name}
          onChange={(event) => setTyped(event.target.value.trim())}
        />
      </Field>
    </Dialog>
  )
}

/** `https://git.example.com/team/Web_Shop.git` → `web-shop`: most apps are named as their repository. */
export function nameFrom(repository: string): string {
  const last = repository.replace(/\/+$/, '').split(/[/:]/).at(-1) ?? ''
  return last
    .replace(/\.git$/, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^[^a-z]+|-+$/g, '')
}
