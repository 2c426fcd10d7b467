import { BerthError, messageOf } from '@berth/core/model/berth-error'
import { type ReactNode, useEffect, useRef, useState } from 'react'
import { Button } from '../components/button.tsx'
import { ErrorBoundary } from '../components/error-boundary.tsx'
import { Icon } from '../components/icons.tsx'
import { Banner } from '../components/layout.tsx'
import { Skeleton } from '../components/table.tsx'
import { useText } from '../i18n/language.tsx'
import { goToLogin, needsLogin, type Session, SessionContext } from '../live/session.tsx'
import { Link } from '../router/link.tsx'
import { usePathname } from '../router/location.ts'
import { backoffMs } from '../store/backoff.ts'
import { useClient, useConnection } from '../store/context.tsx'
import { AccountMenu } from './account-menu.tsx'
import { HelpDialog } from './help-dialog.tsx'
import { Navigation } from './navigation.tsx'
import { SearchDialog } from './search-dialog.tsx'
import { useShortcuts } from './use-shortcuts.ts'

/** Everything around a page: navigation, search, who is logged in, and whether what is seen is current. */
export function Shell({ children }: { readonly children: ReactNode }) {
  const { session, error } = useSessionStart()
  const pathname = usePathname()
  const text = useText()
  const [overlay, setOverlay] = useState<'search' | 'help'>()
  useShortcuts({ search: () => setOverlay('search'), help: () => setOverlay('help') })
  const main = useRef<HTMLElement>(null)
  useFocusOnNavigation(main, pathname)
  return (
    <div className="shell">
      <a className="skip" href="#main">
        {text.shell.skip}
      </a>
      <TopBar onSearch={() => setOverlay('search')} onHelp={() => setOverlay('help')} session={session} />
      <Navigation role={session?.role} />
      <main id="main" ref={main} tabIndex={-1}>
        <ConnectionBanner lost={session === undefined && error !== undefined} error={error} />
        {session === undefined ? (
          <Skeleton rows={6} />
        ) : (
          <SessionContext value={session}>
            <ErrorBoundary key={pathname}>{children}</ErrorBoundary>
            {overlay === 'search' && <SearchDialog onClose={() => setOverlay(undefined)} />}
          </SessionContext>
        )}
      </main>
      {overlay === 'help' && <HelpDialog onClose={() => setOverlay(undefined)} />}
    </div>
  )
}

/** Screen readers and keyboards go on at the new page, not where the clicked link was. */
function useFocusOnNavigation(main: React.RefObject<HTMLElement | null>, pathname: string): void {
  const before = useRef(pathname)
  useEffect(() => {
    if (before.current !== pathname && samePage(before.current, pathname) === false)
      main.current?.focus({ preventScroll: true })
    before.current = pathname
  }, [pathname, main])
}

/** Tabs of one thing keep the focus on the tab. */
const samePage = (a: string, b: string): boolean =>
  a.split('/').slice(1, 3).join('/') === b.split('/').slice(1, 3).join('/')

function useSessionStart(): { readonly session: Session | undefined; readonly error: unknown } {
  const client = useClient()
  const [state, setState] = useState<{ session: Session | undefined; error: unknown }>({
    session: undefined,
    error: undefined,
  })
  const [attempt, setAttempt] = useState(0)
  useEffect(() => {
    const abort = new AbortController()
    let timer: ReturnType<typeof setTimeout> | undefined
    client.call('getStatus', {}, { signal: abort.signal }).then(
      (session) => setState({ session, error: undefined }),
      (error: unknown) => {
        if (abort.signal.aborted) return
        if (needsLogin(error)) return goToLogin()
        setState({ session: undefined, error })
        timer = setTimeout(() => setAttempt((n) => n + 1), backoffMs(attempt + 1, Math.random()))
      },
    )
    return () => {
      abort.abort()
      clearTimeout(timer)
    }
  }, [client, attempt])
  return state
}

function ConnectionBanner({ lost, error }: { readonly lost: boolean; readonly error: unknown }) {
  const text = useText()
  const connection = useConnection()
  if (!lost && connection === 'connected') return null
  return (
    <div role="alert" className="connection">
      <Banner
        tone="warn"
        title={text.shell.reconnecting}
        lines={error instanceof BerthError ? [messageOf(error)] : []}
      />
    </div>
  )
}

interface TopBarProps {
  readonly onSearch: () => void
  readonly onHelp: () => void
  readonly session: Session | undefined
}

function TopBar({ onSearch, onHelp, session }: TopBarProps) {
  const text = useText()
  return (
    <header className="topbar">
      <Link to="/" className="brand" aria-label="Berth">
        <img src="/favicon.svg" alt="" width="24" height="24" />
        <span>Berth</span>
      </Link>
      <button type="button" className="search-button" onClick={onSearch} aria-label={text.shell.search}>
        <Icon name="search" />
        <span>{text.shell.search}</span>
        <kbd>/</kbd>
      </button>
      <div className="topbar-end">
        <Button
          kind="quiet"
          icon="help"
          onClick={onHelp}
          aria-label={text.shell.help}
          title={`${text.shell.help} (?)`}
        />
        <AccountMenu session={session} />
      </div>
    </header>
  )
}
