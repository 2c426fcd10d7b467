import { BerthError, messageOf } from '@berth/core/model/berth-error'
import { type FormEvent, useEffect, useRef, useState } from 'react'
import { Button } from '../components/button.tsx'
import { Banner } from '../components/layout.tsx'
import { Field } from '../components/small.tsx'
import { useText } from '../i18n/language.tsx'
import { safeNext } from '../live/session.tsx'
import { LanguageChoice } from '../shell/account-menu.tsx'

/** Opens a session: the token goes to the server once, and a cookie that scripts cannot read comes back. */
async function openSession(token: string): Promise<void> {
  const response = await fetch('/v1/login', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ token }),
  })
  if (response.ok) return
  const body = await response.json().catch(() => undefined)
  const { code = 'api.unexpected-answer', message = `${response.status}` } = body?.error ?? {}
  throw new BerthError(code, message)
}

/** A token in the fragment never reaches a server's log; it is taken out of the address before anything else happens. */
function takeTokenFromAddress(): string {
  const token = new URLSearchParams(location.hash.slice(1)).get('token') ?? ''
  if (location.hash !== '') history.replaceState(null, '', `${location.pathname}${location.search}`)
  return token
}

export function LoginPage() {
  const text = useText()
  const [token, setToken] = useState('')
  const [problem, setProblem] = useState<string>()
  const [busy, setBusy] = useState(false)
  const login = async (given: string) => {
    if (given.trim() === '') return setProblem(text.login.empty)
    setBusy(true)
    try {
      await openSession(given.trim())
      location.assign(safeNext(new URLSearchParams(location.search).get('next')))
    } catch (error) {
      setProblem(messageOf(error))
      setBusy(false)
    }
  }
  const start = useRef(login)
  useEffect(() => {
    document.title = 'Berth'
    const readAddress = () => {
      const fromAddress = takeTokenFromAddress()
      if (fromAddress !== '') void start.current(fromAddress)
    }
    readAddress()
    addEventListener('hashchange', readAddress)
    return () => removeEventListener('hashchange', readAddress)
  }, [])
  const submit = (event: FormEvent) => {
    event.preventDefault()
    void login(token)
  }
  return (
    <main className="login" id="main">
      <form className="login-box" onSubmit={submit}>
        <img src="/favicon.svg" alt="" width="44" height="44" />
        <h1>{text.login.title}</h1>
        <p className="muted">{text.login.intro}</p>
        {problem !== undefined && (
          <div role="alert">
            <Banner tone="bad" title={problem} />
          </div>
        )}
        <Field label={text.login.token}>
          <input
            type="password"
            autoComplete="current-password"
            spellCheck={false}
            // biome-ignore lint/a11y/noAutofocus: the page has this one field
            autoFocus
            value={token}
            onChange={(event) => setToken(event.target.value)}
          />
        </Field>
        <Button kind="primary" type="submit" disabled={busy}>
          {busy ? text.login.working : text.login.submit}
        </Button>
        <p className="muted small">{text.login.local}</p>
      </form>
      <div className="login-language">
        <LanguageChoice />
      </div>
    </main>
  )
}
