import { messageOf } from '@berth/core/model/berth-error'
import { createContext, type ReactNode, useCallback, useContext, useMemo, useState } from 'react'
import { useText } from '../i18n/language.tsx'
import { Link } from '../router/link.tsx'
import { IconButton } from './button.tsx'
import { Mark } from './status.tsx'

interface Toast {
  readonly id: number
  readonly tone: 'ok' | 'bad'
  readonly title: string
  readonly detail?: string
  readonly to?: string
}

export interface Toasts {
  readonly done: (title: string, to?: string) => void
  readonly failed: (error: unknown) => void
}

const ToastContext = createContext<Toasts>({ done: () => undefined, failed: () => undefined })
export const useToasts = (): Toasts => useContext(ToastContext)

const shownMs = 6_000
let nextId = 1

/** Failures stay until they are closed: they must be readable. */
export function ToastProvider({ children }: { readonly children: ReactNode }) {
  const text = useText()
  const [toasts, setToasts] = useState<readonly Toast[]>([])
  const close = useCallback((id: number) => setToasts((all) => all.filter((each) => each.id !== id)), [])
  const value = useMemo<Toasts>(() => {
    const show = (toast: Omit<Toast, 'id'>) => {
      const id = nextId
      nextId += 1
      setToasts((all) => [...all.slice(-3), { ...toast, id }])
      if (toast.tone === 'ok') setTimeout(close, shownMs, id)
    }
    return {
      done: (title, to) => show({ tone: 'ok', title, ...(to === undefined ? {} : { to }) }),
      failed: (error) => show({ tone: 'bad', title: text.done.failed, detail: messageOf(error) }),
    }
  }, [close, text])
  return (
    <ToastContext value={value}>
      {children}
      <div className="toasts" role="status" aria-live="polite">
        {toasts.map((toast) => (
          <div key={toast.id} className={`toast tone-${toast.tone}`}>
            <Mark tone={toast.tone} />
            <div className="toast-text">
              <strong>{toast.title}</strong>
              {toast.detail !== undefined && <p>{toast.detail}</p>}
              {toast.to !== undefined && (
                <Link to={toast.to} onClick={() => close(toast.id)}>
                  {text.action.view}
                </Link>
              )}
            </div>
            <IconButton icon="close" label={text.common.close} onClick={() => close(toast.id)} />
          </div>
        ))}
      </div>
    </ToastContext>
  )
}
