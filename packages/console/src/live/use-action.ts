import { useState } from 'react'
import { type Question, useConfirm } from '../components/confirm.tsx'
import { useToasts } from '../components/toasts.tsx'
import { goToLogin, needsLogin } from './session.tsx'

interface Action<T> {
  readonly ask?: Question
  readonly run: () => Promise<T>
  readonly done: string | ((answer: T) => string)
  /** Where to look at what has been started. */
  readonly to?: (answer: T) => string | undefined
}

/** Runs what a button does: asks first where `ask` is given, and tells the outcome. `busy` guards against a second click. */
export function useAction(): {
  readonly busy: boolean
  readonly act: <T>(action: Action<T>) => Promise<T | undefined>
} {
  const confirm = useConfirm()
  const toasts = useToasts()
  const [busy, setBusy] = useState(false)
  const act = async <T>({ ask, run, done, to }: Action<T>): Promise<T | undefined> => {
    if (ask !== undefined && !(await confirm(ask))) return undefined
    setBusy(true)
    try {
      const answer = await run()
      toasts.done(typeof done === 'string' ? done : done(answer), to?.(answer))
      return answer
    } catch (error) {
      if (needsLogin(error)) goToLogin()
      else toasts.failed(error)
      return undefined
    } finally {
      setBusy(false)
    }
  }
  return { busy, act }
}
