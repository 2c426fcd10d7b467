import { createContext, type ReactNode, useCallback, useContext, useState } from 'react'
import { useText } from '../i18n/language.tsx'
import { Button } from './button.tsx'
import { Dialog } from './dialog.tsx'

export interface Question {
  /** Names the target: `Restart shop/production?` */
  readonly title: string
  readonly body: ReactNode
  readonly verb: string
  readonly danger?: boolean
}

type Ask = (question: Question) => Promise<boolean>
const ConfirmContext = createContext<Ask>(() => Promise.resolve(false))

/** Asks before something is done that cannot simply be taken back. */
export const useConfirm = (): Ask => useContext(ConfirmContext)

export function ConfirmProvider({ children }: { readonly children: ReactNode }) {
  const text = useText()
  const [open, setOpen] = useState<{ question: Question; answer: (yes: boolean) => void }>()
  const ask = useCallback<Ask>((question) => new Promise((resolve) => setOpen({ question, answer: resolve })), [])
  const answer = (yes: boolean) => {
    open?.answer(yes)
    setOpen(undefined)
  }
  return (
    <ConfirmContext value={ask}>
      {children}
      {open !== undefined && (
        <Dialog
          title={open.question.title}
          onClose={() => answer(false)}
          onSubmit={() => answer(true)}
          footer={
            <>
              <Button onClick={() => answer(false)}>{text.common.cancel}</Button>
              <Button kind={open.question.danger ? 'danger' : 'primary'} type="submit" autoFocus>
                {open.question.verb}
              </Button>
            </>
          }
        >
          {open.question.body}
        </Dialog>
      )}
    </ConfirmContext>
  )
}
