import type { InputHTMLAttributes, ReactNode } from 'react'
import { useText } from '../i18n/language.tsx'
import { Button } from './button.tsx'
import { Dialog } from './dialog.tsx'
import { Problem } from './layout.tsx'
import { Field } from './small.tsx'

interface FormDialogProps {
  readonly title: string
  readonly wide?: boolean
  /** What the button says that submits it. */
  readonly verb: string
  /** False: something that is needed has not been typed yet. */
  readonly ready?: boolean
  readonly busy: boolean
  /** Why it was refused. */
  readonly problem: string | undefined
  readonly onSave: () => void
  readonly onClose: () => void
  readonly children: ReactNode
}

/** A form that is saved or left, and says what was wrong with it. */
export function FormDialog(props: FormDialogProps) {
  const { title, wide = false, verb, ready = true, busy, problem, onSave, onClose, children } = props
  const { common } = useText()
  return (
    <Dialog
      title={title}
      wide={wide}
      onClose={onClose}
      onSubmit={onSave}
      footer={
        <>
          <Button onClick={onClose}>{common.cancel}</Button>
          <Button kind="primary" type="submit" disabled={busy || !ready}>
            {verb}
          </Button>
        </>
      }
    >
      <Problem text={problem} />
      {children}
    </Dialog>
  )
}

type InputProps = Omit<InputHTMLAttributes<HTMLInputElement>, 'onChange' | 'value'>

interface WordFieldProps extends InputProps {
  readonly label: string
  readonly hint?: string | undefined
  readonly value: string
  readonly onChange: (value: string) => void
}

/** A name, an address, a list of such: nothing that a browser should correct or remember. */
export function WordField({ label, hint, value, onChange, ...rest }: WordFieldProps) {
  return (
    <Field label={label} {...(hint === undefined ? {} : { hint })}>
      <input
        className="mono"
        spellCheck={false}
        autoComplete="off"
        {...rest}
        value={value}
        onChange={(event) => onChange(event.target.value)}
      />
    </Field>
  )
}
