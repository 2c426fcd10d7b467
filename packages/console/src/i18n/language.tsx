import { createContext, type ReactNode, useContext, useEffect, useMemo, useState } from 'react'
import { readPreference, writePreference } from '../preferences.ts'
import { chinese } from './chinese.ts'
import type { Dictionary } from './dictionary.ts'
import { english } from './english.ts'

export type Language = 'en' | 'zh'
export const languageNames: Readonly<Record<Language, string>> = { en: 'English', zh: '中文' }
const dictionaries: Readonly<Record<Language, Dictionary>> = { en: english, zh: chinese }

interface LanguageValue {
  readonly language: Language
  readonly text: Dictionary
  readonly setLanguage: (language: Language) => void
}

const LanguageContext = createContext<LanguageValue>({ language: 'en', text: english, setLanguage: () => undefined })

export function chooseLanguage(stored: string | undefined, preferred: readonly string[]): Language {
  if (stored === 'en' || stored === 'zh') return stored
  const first = preferred.find((tag) => /^(en|zh)\b/i.test(tag))
  return first?.toLowerCase().startsWith('zh') ? 'zh' : 'en'
}

export function LanguageProvider({ children }: { readonly children: ReactNode }) {
  const [language, setLanguage] = useState(() => chooseLanguage(readPreference('language'), navigator.languages))
  useEffect(() => {
    document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en'
  }, [language])
  const value = useMemo(
    () => ({
      language,
      text: dictionaries[language],
      setLanguage: (next: Language) => {
        writePreference('language', next)
        setLanguage(next)
      },
    }),
    [language],
  )
  return <LanguageContext value={value}>{children}</LanguageContext>
}

export const useLanguage = (): LanguageValue => useContext(LanguageContext)
export const useText = (): Dictionary => useContext(LanguageContext).text
