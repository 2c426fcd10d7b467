import type { Answer } from '@berth/api/client'
import { BerthError } from '@berth/core/model/berth-error'
import { createContext, useContext } from 'react'

export type Session = Answer<'getStatus'>
export const SessionContext = createContext<Session | undefined>(undefined)

const ranks = { viewer: 1, deployer: 2, admin: 3 } as const

export function useSession(): Session {
  const session = useContext(SessionContext)
  if (session === undefined) throw new Error('useSession needs a SessionContext above it')
  return session
}

/** Whether who is logged in may do what needs this role. The server checks again; this only spares a futile click. */
export const useMay = (role: Session['role']): boolean => ranks[useSession().role] >= ranks[role]

const loginCodes = new Set([
  'auth.missing',
  'auth.invalid-token',
  'auth.token-expired',
  'auth.invalid-session',
  'auth.session-expired',
])

/** True when logging in (again) is what helps. */
export const needsLogin = (error: unknown): boolean => error instanceof BerthError && loginCodes.has(error.code)

export function goToLogin(): void {
  if (location.pathname !== '/login') location.assign(loginAddress(location))
}

/** A token in the address, as links have it that log in by themselves, goes on to where it is used. */
export function loginAddress({ pathname, search, hash }: Pick<Location, 'pathname' | 'search' | 'hash'>): string {
  const here = `${pathname}${search}`
  const next = here === '/' ? '' : `?next=${encodeURIComponent(here)}`
  return `/login${next}${hash.startsWith('#token=') ? hash : ''}`
}

/** Only addresses of this console: `next` comes from the address bar. */
export function safeNext(next: string | null): string {
  if (next === null || !next.startsWith('/') || next.startsWith('//') || next.includes('\\')) return '/'
  return next.startsWith('/login') ? '/' : next
}
