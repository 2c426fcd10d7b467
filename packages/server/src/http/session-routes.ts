import { BerthError } from '@berth/core'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { type Sessions, sessionCookie } from '../auth/sessions.ts'
import { nameInToken } from '../auth/token-text.ts'
import { identityOf } from '../auth/tokens.ts'
import { type Authenticator, requireOwnOrigin } from './authenticate.ts'
import { limitBodyTime } from './body-deadline.ts'
import { sessionCookieHeader } from './cookies.ts'
import { strangerBodyBytes } from './register-endpoints.ts'
import { validate } from './validate.ts'

export const loginBody = z.strictObject({ token: z.string().max(500) })
export const loginAnswer = z.object({ actor: z.string(), role: z.enum(['admin', 'deployer', 'viewer']) })

/** Console log-in: a token for a session cookie, so that no script of the page ever holds the token. */
export function registerSessionRoutes(app: FastifyInstance, sessions: Sessions, authenticator: Authenticator): void {
  const stranger = {
    bodyLimit: strangerBodyBytes,
    onRequest: async (request: FastifyRequest) => limitBodyTime(request.raw, { isOpen: true }),
  }
  app.post('/v1/login', stranger, (request, reply) => {
    refuseForeignPages(request.headers.origin, () => requireOwnOrigin(request))
    const { token } = validate('body', loginBody, request.body)
    const opened = authenticator.limited(request, nameInToken(token) ?? '', () => sessions.open(token))
    reply.header('set-cookie', sessionCookieHeader(sessionCookie, opened.value, opened.maxAgeSeconds))
    return reply.send(identityOf(opened.token))
  })
  app.post('/v1/logout', stranger, (request, reply) => {
    refuseForeignPages(request.headers.origin, () => requireOwnOrigin(request))
    reply.header('set-cookie', sessionCookieHeader(sessionCookie, '', 0))
    return reply.send({ ok: true })
  })
}

/** A page of somebody else must not log a browser in (as somebody else) or out; programs send no origin. */
function refuseForeignPages(origin: string | undefined, check: () => void): void {
  if (origin === undefined) return
  if (origin === 'null') throw new BerthError('auth.foreign-origin', 'log in from the console itself')
  check()
}
