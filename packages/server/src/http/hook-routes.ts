import { BerthError, isName } from '@berth/core'
import type { FastifyInstance } from 'fastify'
import type { Webhooks } from '../pipelines/webhooks.ts'
import { limitBodyTime } from './body-deadline.ts'

/** A push of some thousand commits fits; it is only a hint, and what is too long for one is found by the next look. */
export const hookBodyBytes = 4 * 1024 * 1024

/** Where GitHub, GitLab and Gitea deliver to. Bodies are kept as they came, since signatures are over their bytes. */
export async function registerHookRoutes(app: FastifyInstance, webhooks: Webhooks, signal: AbortSignal): Promise<void> {
  await app.register(async (scope) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: hookBodyBytes }, (_request, body, done) =>
      done(null, body),
    )
    scope.post<{ Params: { app: string } }>(
      '/hooks/:app',
      {
        bodyLimit: hookBodyBytes,
        onRequest: async (request) => {
          limitBodyTime(request.raw, { isOpen: true })
          webhooks.check(request.ip ?? '', request.params.app)
        },
      },
      async (request, reply) => {
        const { app: name } = request.params
        if (!isName(name)) throw new BerthError('hook.bad-signature', 'a delivery is for an app: /hooks/APP')
        const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
        const answer = await webhooks.receive({
          ...{ app: name, headers: request.headers, body, remote: request.ip ?? '', signal },
        })
        return await reply.code(answer.status).send(answer.body)
      },
    )
  })
}
