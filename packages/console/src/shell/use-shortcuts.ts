import { useEffect, useRef } from 'react'
import { navigate } from '../router/location.ts'
import { toggleTheme } from '../theme.ts'

/** After `g`. */
export const places: Readonly<Record<string, string>> = {
  a: '/apps',
  t: '/activity',
  s: '/schedules',
  n: '/nodes',
  g: '/groups',
  i: '/advice',
  w: '/network',
  r: '/routes',
  c: '/certificates',
  e: '/events',
  k: '/tokens',
  p: '/routes/topology',
  o: '/settings',
}
const prefixLastsMs = 1_500

/** What `d` presses: the deploy button of the page, marked by this attribute. */
export const deployButton = 'data-deploy'

export function useShortcuts(open: { readonly search: () => void; readonly help: () => void }): void {
  const latest = useRef(open)
  latest.current = open
  useEffect(() => {
    let prefixedAt = 0
    const onKey = (event: KeyboardEvent) => {
      if (event.key === 'Escape') return leaveField(event)
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return
      if (document.querySelector('dialog[open]') !== null) return
      const place = Date.now() - prefixedAt < prefixLastsMs ? places[event.key] : undefined
      prefixedAt = event.key === 'g' && place === undefined ? Date.now() : 0
      if (place !== undefined) navigate(place)
      if (place !== undefined || press(event.key, latest.current)) event.preventDefault()
    }
    addEventListener('keydown', onKey)
    return () => removeEventListener('keydown', onKey)
  }, [])
}

function press(key: string, open: { readonly search: () => void; readonly help: () => void }): boolean {
  if (key === '/') open.search()
  else if (key === '?') open.help()
  else if (key === 't') toggleTheme()
  else if (key === 'd' && click(`[${deployButton}]`)) return true
  else return /^[a-z]$/.test(key) && click(`[data-key~="${key}"]`)
  return true
}

/** Buttons of a page name their keys: `data-key="a r"` is pressed by either, and `data-does` says what it does. */
export interface PageKey {
  readonly key: string
  readonly does: string
}

export const keysOfPage = (): readonly PageKey[] =>
  [...document.querySelectorAll<HTMLElement>('[data-key]:not(:disabled)')].flatMap(({ dataset }) =>
    (dataset.key ?? '').split(' ').map((key) => ({ key, does: dataset.does ?? '' })),
  )

function click(selector: string): boolean {
  const button = document.querySelector<HTMLElement>(`${selector}:not(:disabled)`)
  button?.click()
  return button !== null
}

function leaveField({ target }: KeyboardEvent): void {
  if (target instanceof HTMLElement && isTyping(target) && target.closest('.terminal') === null) target.blur()
}

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement &&
  (target.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName))
