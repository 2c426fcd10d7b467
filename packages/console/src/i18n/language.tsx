import { createContext, type ReactNode, useContext, useEffect, useMemo, useState } from 'react'
import { readPreference, writePreference } from '../preferences.ts'
import type { Dictionary } from './dictionary.ts'

export type Language = 'en' | 'zh'
export const languageNames: Readonly<Record<Language, string>> = { en: 'English', zh: '中文' }

/** Only the one that is read travels. */
const loaders: Readonly<Record<Language, () => Promise<Dictionary>>> = {
  en: async () => (await import('./english.ts')).english,
  zh: async () => (await import('./chinese.ts')).chinese,
}

export interface Spoken {
  readonly language: Language
  readonly text: Dictionary
}

interface LanguageValue extends Spoken {
  readonly setLanguage: (language: Language) => void
}

const LanguageContext = createContext<LanguageValue | undefined>(undefined)

export function chooseLanguage(stored: string | undefined, preferred: readonly string[]): Language {
  if (stored === 'en' || stored === 'zh') return stored
  const first = preferred.find((tag) => /^(en|zh)\b/i.test(tag))
  return first?.toLowerCase().startsWith('zh') ? 'zh' : 'en'
}

const load = async (language: Language): Promise<Spoken> => ({ language, text: await loaders[language]() })

/** The language of this browser, or the one chosen in it before. */
export const loadLanguage = (): Promise<Spoken> => load(chooseLanguage(readPreference('language'), navigator.languages))

interface LanguageProviderProps {
  readonly start: Spoken
  readonly children: ReactNode
}

export function LanguageProvider({ start, children }: LanguageProviderProps) {
  const [spoken, setSpoken] = useState(start)
  const { language } = spoken
  useEffect(() => {
    document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en'
  }, [language])
  const value = useMemo(
    () => ({
      ...spoken,
      setLanguage: (next: Language) => {
        writePreference('language', next)
        void load(next).then(setSpoken)
      },
    }),
    [spoken],
  )
  return <LanguageContext value={value}>{children}</LanguageContext>
}

export function useLanguage(): LanguageValue {
  const value = useContext(LanguageContext)
  if (value === undefined) throw new Error('useLanguage needs a LanguageProvider above it')
  return value
}

export const useText = (): Dictionary => useLanguage().text
