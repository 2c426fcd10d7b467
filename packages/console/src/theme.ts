import { useSyncExternalStore } from 'react'
import { readPreference, writePreference } from './preferences.ts'

export type Theme = 'system' | 'light' | 'dark'
export const themes: readonly Theme[] = ['system', 'light', 'dark']

const changed = new EventTarget()
const dark = (): MediaQueryList => matchMedia('(prefers-color-scheme: dark)')

export function currentTheme(): Theme {
  const chosen = readPreference('theme')
  return chosen === 'light' || chosen === 'dark' ? chosen : 'system'
}

/** What is really shown. */
export function shownTheme(): 'light' | 'dark' {
  const chosen = document.documentElement.dataset.theme
  if (chosen === 'light' || chosen === 'dark') return chosen
  return dark().matches ? 'dark' : 'light'
}

export function setTheme(theme: Theme): void {
  writePreference('theme', theme === 'system' ? undefined : theme)
  if (theme === 'system') delete document.documentElement.dataset.theme
  else document.documentElement.dataset.theme = theme
  changed.dispatchEvent(new Event('change'))
}

export const toggleTheme = (): void => setTheme(shownTheme() === 'dark' ? 'light' : 'dark')

function subscribe(listener: () => void): () => void {
  const system = dark()
  system.addEventListener('change', listener)
  changed.addEventListener('change', listener)
  return () => {
    system.removeEventListener('change', listener)
    changed.removeEventListener('change', listener)
  }
}

export const useTheme = (): Theme => useSyncExternalStore(subscribe, currentTheme)
export const useShownTheme = (): 'light' | 'dark' => useSyncExternalStore(subscribe, shownTheme)
