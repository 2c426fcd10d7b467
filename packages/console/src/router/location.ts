import { useSyncExternalStore } from 'react'

const changed = new EventTarget()

/** Where we are, without the origin: `/apps/shop?grep=x`. */
const current = (): string => `${location.pathname}${location.search}`

function subscribe(listener: () => void): () => void {
  addEventListener('popstate', listener)
  changed.addEventListener('change', listener)
  return () => {
    removeEventListener('popstate', listener)
    changed.removeEventListener('change', listener)
  }
}

export function navigate(to: string, options: { readonly replace?: boolean } = {}): void {
  const before = location.pathname
  if (to === current() && location.hash === '') return
  if (options.replace) history.replaceState(null, '', to)
  else history.pushState(null, '', to)
  changed.dispatchEvent(new Event('change'))
  if (location.pathname !== before) scrollTo(0, 0)
}

export const useLocation = (): string => useSyncExternalStore(subscribe, current)

export function usePathname(): string {
  return useSyncExternalStore(subscribe, () => location.pathname)
}

/** One value of the address's query, and how to change it without a new entry in the history. */
export function useQueryValue(name: string): readonly [string, (value: string) => void] {
  const value = new URLSearchParams(useLocation().split('?')[1] ?? '').get(name) ?? ''
  const change = (next: string) => {
    const query = new URLSearchParams(location.search)
    if (next === '') query.delete(name)
    else query.set(name, next)
    navigate(query.size === 0 ? location.pathname : `${location.pathname}?${query}`, { replace: true })
  }
  return [value, change]
}
