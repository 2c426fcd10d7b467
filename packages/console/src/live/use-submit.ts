import { messageOf } from '@berth/core/model/berth-error'
import { useState } from 'react'
import { useToasts } from '../components/toasts.tsx'
import { goToLogin, needsLogin } from './session.tsx'

interface Submission<T> {
  readonly run: () => Promise<T>
  readonly done?: string
  /** Where to look at what has been started. */
  readonly to?: (answer: T) => string | undefined
  readonly after?: (answer: T) => void
}

/** What the button of a form does. A refusal is said in the form, beside what has to be changed. */
export function useSubmit(): {
  readonly busy: boolean
  readonly problem: string | undefined
  readonly submit: <T>(submission: Submission<T>) => void
} {
  const toasts = useToasts()
  const [state, setState] = useState<{ readonly busy: boolean; readonly problem: string | undefined }>({
    busy: false,
    problem: undefined,
  })
  const submit = async <T>({ run, done, to, after }: Submission<T>): Promise<void> => {
    setState({ busy: true, problem: undefined })
    try {
      const answer = await run()
      setState({ busy: false, problem: undefined })
      if (done !== undefined) toasts.done(done, to?.(answer))
      after?.(answer)
    } catch (error) {
      if (needsLogin(error)) return goToLogin()
      setState({ busy: false, problem: messageOf(error) })
    }
  }
  return { ...state, submit: (submission) => void submit(submission) }
}
