import { type FormEvent, type ReactNode, useId, useLayoutEffect, useRef } from 'react'
import { useText } from '../i18n/language.tsx'
import { IconButton } from './button.tsx'

interface DialogProps {
  readonly title: string
  readonly onClose: () => void
  readonly onSubmit?: () => void
  readonly footer?: ReactNode
  readonly wide?: boolean
  /** Of a dialog with several steps: at the next one the focus is on what goes on. */
  readonly step?: number
  readonly children: ReactNode
}

/** A modal dialog of the browser's own: it keeps the focus inside, Escape closes it, and the focus returns to where it was. */
export function Dialog({ title, onClose, onSubmit, footer, wide = false, step = 0, children }: DialogProps) {
  const text = useText()
  const ref = useRef<HTMLDialogElement>(null)
  const titleId = useId()
  // Before the first paint: a key pressed right after the click that opened it must already find it modal.
  useLayoutEffect(() => {
    const before = document.activeElement
    ref.current?.showModal()
    return () => {
      if (before instanceof HTMLElement) before.focus()
    }
  }, [])
  useLayoutEffect(() => {
    if (step > 0) ref.current?.querySelector<HTMLElement>('[type=submit]')?.focus()
  }, [step])
  const submit = (event: FormEvent) => {
    event.preventDefault()
    onSubmit?.()
  }
  return (
    <dialog
      ref={ref}
      className={wide ? 'dialog dialog-wide' : 'dialog'}
      aria-labelledby={titleId}
      onCancel={(event) => {
        event.preventDefault()
        onClose()
      }}
    >
      <form onSubmit={submit}>
        <header className="dialog-head">
          <h2 id={titleId}>{title}</h2>
          <IconButton icon="close" label={text.common.close_dialog} onClick={onClose} />
        </header>
        <div className="dialog-body">{children}</div>
        {footer !== undefined && <footer className="dialog-foot">{footer}</footer>}
      </form>
    </dialog>
  )
}
