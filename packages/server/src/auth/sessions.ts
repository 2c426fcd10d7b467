import { createHmac } from 'node:crypto'
import { BerthError, type Token } from '@berth/core'
import type { SecretKey } from '../secrets/secret-key.ts'
import { sameHash } from './token-text.ts'
import type { Tokens } from './tokens.ts'

export const sessionCookie = 'berth_session'
const lifetimeMs = 12 * 3_600_000

interface Session {
  readonly name: string
  readonly hash: string
  readonly expiresAt: number
}

/**
 * Console sessions: a signed cookie that names the token it was opened with. Nothing is kept on the server, a session survives its
 * restart, and revoking the token ends it at once.
 */
export class Sessions {
  readonly #key: Buffer
  readonly #tokens: Tokens
  readonly #now: () => number

  constructor(key: SecretKey, tokens: Tokens, now: () => number = Date.now) {
    this.#key = key.derive('sessions')
    this.#tokens = tokens
    this.#now = now
  }

  /** The cookie's value for a token's text. Throws as {@link Tokens.authenticate}. */
  open(text: string): { readonly value: string; readonly maxAgeSeconds: number; readonly token: Token } {
    // Read once: a second look would cost the cookie a second now and then.
    const now = this.#now()
    const token = this.#tokens.authenticate(text)
    const expiresAt = Math.min(now + lifetimeMs, token.expiresAt ?? Number.POSITIVE_INFINITY)
    const body = encode({ name: token.name, hash: token.hash, expiresAt })
    const maxAgeSeconds = Math.floor((expiresAt - now) / 1000)
    return { value: `${body}.${this.#sign(body)}`, maxAgeSeconds, token }
  }

  /** Throws `auth.invalid-session`, `auth.session-expired`, `auth.token-expired`. */
  authenticate(value: string): Token {
    const [body = '', signature = ''] = value.split('.')
    if (!sameHash(this.#sign(body), signature))
      throw new BerthError('auth.invalid-session', 'the session is not valid; log in again')
    const session = JSON.parse(Buffer.from(body, 'base64url').toString()) as Session
    if (this.#now() >= session.expiresAt)
      throw new BerthError('auth.session-expired', 'the session has expired; log in again')
    return this.#tokens.find(session.name, session.hash)
  }

  #sign(body: string): string {
    return createHmac('sha256', this.#key).update(body).digest('base64url')
  }
}

const encode = (session: Session): string => Buffer.from(JSON.stringify(session)).toString('base64url')
