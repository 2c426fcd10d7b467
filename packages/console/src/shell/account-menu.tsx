import { useEffect, useRef, useState } from 'react'
import { Button } from '../components/button.tsx'
import { Icon } from '../components/icons.tsx'
import { personOf } from '../components/small.tsx'
import { type Language, languageNames, useLanguage } from '../i18n/language.tsx'
import type { Session } from '../live/session.tsx'
import { setTheme, themes, useTheme } from '../theme.ts'

/** Who is logged in, and how the console looks to them. */
export function AccountMenu({ session }: { readonly session: Session | undefined }) {
  const { text } = useLanguage()
  const [open, setOpen] = useState(false)
  const box = useRef<HTMLDivElement>(null)
  useEffect(() => {
    if (!open) return
    const onPointer = (event: PointerEvent) => box.current?.contains(event.target as Node) || setOpen(false)
    const onKey = (event: KeyboardEvent) => event.key === 'Escape' && setOpen(false)
    addEventListener('pointerdown', onPointer)
    addEventListener('keydown', onKey)
    return () => {
      removeEventListener('pointerdown', onPointer)
      removeEventListener('keydown', onKey)
    }
  }, [open])
  return (
    <div className="menu" ref={box}>
      <Button
        kind="quiet"
        icon="user"
        aria-label={text.shell.account}
        aria-expanded={open}
        onClick={() => setOpen(!open)}
      >
        {session !== undefined && <span className="menu-actor">{personOf(session.actor)}</span>}
      </Button>
      {open && (
        <div className="menu-panel">
          {session !== undefined && <Identity session={session} />}
          <ThemeChoice />
          <LanguageChoice />
          <button type="button" className="menu-item" onClick={() => void logout()}>
            <Icon name="logout" />
            {text.shell.logout}
          </button>
        </div>
      )}
    </div>
  )
}

function Identity({ session }: { readonly session: Session }) {
  const { text } = useLanguage()
  return (
    <div className="menu-identity">
      <strong>{session.actor}</strong>
      <span className="muted">
        {text.shell.role}: {session.role}
      </span>
      <span className="muted">
        {text.shell.version}: {session.version}
      </span>
    </div>
  )
}

function ThemeChoice() {
  const { text } = useLanguage()
  const theme = useTheme()
  return (
    <fieldset className="menu-choice">
      <legend>{text.shell.theme}</legend>
      {themes.map((each) => (
        <label key={each}>
          <input type="radio" name="theme" checked={theme === each} onChange={() => setTheme(each)} />
          <span>{text.shell.themes[each]}</span>
        </label>
      ))}
    </fieldset>
  )
}

export function LanguageChoice() {
  const { text, language, setLanguage } = useLanguage()
  return (
    <fieldset className="menu-choice">
      <legend>{text.shell.language}</legend>
      {(Object.keys(languageNames) as Language[]).map((each) => (
        <label key={each} lang={each === 'zh' ? 'zh-CN' : 'en'}>
          <input type="radio" name="language" checked={language === each} onChange={() => setLanguage(each)} />
          <span>{languageNames[each]}</span>
        </label>
      ))}
    </fieldset>
  )
}

async function logout(): Promise<void> {
  await fetch('/v1/logout', { method: 'POST' }).catch(() => undefined)
  location.assign('/login')
}
