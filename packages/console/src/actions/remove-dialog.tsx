import { type ReactNode, useState } from 'react'
import { Button } from '../components/button.tsx'
import { Dialog } from '../components/dialog.tsx'
import { Problem } from '../components/layout.tsx'
import { Field } from '../components/small.tsx'
import { useText } from '../i18n/language.tsx'
import { useSubmit } from '../live/use-submit.ts'
import { navigate } from '../router/location.ts'

interface RemoveDialogProps {
  readonly title: string
  /** To be typed, so that it is meant. */
  readonly name: string
  readonly verb: string
  /** What goes away, one line each. */
  readonly goes: readonly ReactNode[]
  readonly stays?: string
  readonly run: () => Promise<unknown>
  readonly done: string
  /** Where to be afterwards. */
  readonly to: string
  readonly onClose: () => void
}

/** For what nobody can bring back: names all that goes away, and wants the name typed. */
export function RemoveDialog({ title, name, verb, goes, stays, run, done, to, onClose }: RemoveDialogProps) {
  const { removal: text, common } = useText()
  const { busy, problem, submit } = useSubmit()
  const [typed, setTyped] = useState('')
  const remove = () => {
    if (typed !== name) return
    submit({
      run,
      done,
      after: () => {
        onClose()
        navigate(to)
      },
    })
  }
  return (
    <Dialog
      title={title}
      onClose={onClose}
      onSubmit={remove}
      footer={
        <>
          <Button onClick={onClose}>{common.cancel}</Button>
          <Button kind="danger" type="submit" disabled={busy || typed !== name}>
            {verb}
          </Button>
        </>
      }
    >
      <Problem text={problem} />
      <div>
        <p>{text.goes}</p>
        <ul className="goes">
          {goes.map((line, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: the lines never change places
            <li key={index}>{line}</li>
          ))}
        </ul>
      </div>
      {stays !== undefined && <p className="muted">{stays}</p>}
      <Field label={text.typeName(name)}>
        <input
          className="mono"
          autoFocus
          spellCheck={false}
          autoComplete="off"
          value={typed}
          onChange={(event) => setTyped(event.target.value.trim())}
        />
      </Field>
    </Dialog>
  )
}
