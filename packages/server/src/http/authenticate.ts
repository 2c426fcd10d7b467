import type { Socket } from 'node:net'
import { BerthError } from '@berth/core'
import type { FastifyRequest } from 'fastify'
import type { FailureLimit } from '../auth/failure-limit.ts'
import type { Identity } from '../auth/identity.ts'
import { type Sessions, sessionCookie } from '../auth/sessions.ts'
import { nameInToken } from '../auth/token-text.ts'
import { identityOf, type Tokens } from '../auth/tokens.ts'
import { type RelayPass, relayHeader } from '../relay/relay-pass.ts'
import { readCookie } from './cookies.ts'

export interface AuthenticatorOptions {
  readonly tokens: Tokens
  readonly sessions: Sessions
  readonly limit: FailureLimit
  readonly relayPass: RelayPass
  /** Connections that came by the unix socket, whose file only its owner may open. */
  readonly isLocal: (socket: Socket) => boolean
  readonly localIdentity: Identity
}

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS'])

/** Tells who calls: by the local socket, a token in the Authorization header, or a console session's cookie. */
export class Authenticator {
  readonly #options: AuthenticatorOptions

  constructor(options: AuthenticatorOptions) {
    this.#options = options
  }

  /** Throws `auth.missing` and whatever is wrong with what was given. */
  identify(request: FastifyRequest): Identity {
    const { isLocal, localIdentity, tokens, sessions, relayPass } = this.#options
    if (isLocal(request.raw.socket)) return localIdentity
    const pass = request.headers[relayHeader]
    if (typeof pass === 'string')
      return this.limited(request, relayHeader, () =>
        relayPass.check(pass, { method: request.method, path: request.url }),
      )
    const token = bearerToken(request)
    if (token !== undefined)
      return this.limited(request, nameInToken(token) ?? '', () => identityOf(tokens.authenticate(token)))
    const session = readCookie(request.headers.cookie, sessionCookie)
    if (session === undefined) {
      throw new BerthError(
        'auth.missing',
        'this call needs a token: Authorization: Bearer berth_…; an admin makes one with `berth token create`',
      )
    }
    requireOwnOrigin(request)
    // By its end, which is its signature: a browser with an old session locks out itself, not others behind the same address.
    const claimed = `session ${session.slice(-16)}`
    return this.limited(request, claimed, () => identityOf(sessions.authenticate(session)))
  }

  /** Runs a check of what a caller claims, and counts its failures. */
  limited<T>(request: FastifyRequest, claimed: string, check: () => T): T {
    const { limit } = this.#options
    limit.check(request.ip, claimed)
    try {
      return check()
    } catch (error) {
      limit.failed(request.ip, claimed)
      throw error
    }
  }
}

function bearerToken(request: FastifyRequest): string | undefined {
  const match = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')
  if (match !== null) return match[1]
  if (request.headers.authorization === undefined) return undefined
  throw new BerthError('auth.invalid-token', 'the Authorization header must be: Bearer berth_…')
}

/**
 * A cookie is sent by the browser whoever made it call, so it counts for changes and WebSockets only when the page that calls is our
 * own. (`SameSite=Strict` says the same; this does not rest on it alone.)
 */
export function requireOwnOrigin(request: FastifyRequest): void {
  const isUpgrade = request.headers.upgrade !== undefined
  if (safeMethods.has(request.method) && !isUpgrade) return
  // HTTP/2 says it as `:authority`.
  const host = request.headers.host ?? request.headers[':authority']
  const { origin } = request.headers
  if (origin !== undefined && host !== undefined && hostOf(origin) === host) return
  throw new BerthError('auth.foreign-origin', 'a session may only be used by the console itself; programs use a token')
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined
}
