import { servingCertificates } from '@berth/core'
import { requireApp } from '../../controllers/operations/lookup.ts'
import { certificateView, secretView, tokenView } from '../../views/plain-views.ts'
import { defined } from '../../views/view-context.ts'
import { done, type Handlers } from '../handler.ts'
import { certificateListing, eventListing, secretListing, tokenListing } from '../listings/record-listings.ts'
import { routeListing } from '../listings/traffic-listings.ts'
import type { Services } from '../services.ts'

type AccessHandlers = Pick<
  Handlers,
  | 'listSecrets'
  | 'setSecret'
  | 'removeSecret'
  | 'listTokens'
  | 'createToken'
  | 'removeToken'
  | 'listRoutes'
  | 'listCertificates'
  | 'setCertificate'
  | 'removeCertificate'
  | 'listEvents'
>

export const accessHandlers = (services: Services): AccessHandlers => {
  const { views, secrets, tokens, certificates, trafficChanges } = services
  return {
    listSecrets: ({ params }) => {
      requireApp(views.state, params.app)
      return secretListing(views, params.app)
    },
    setSecret: async ({ params, body, context }) => {
      const { value, environment } = body
      return secretView(await secrets.set({ ...params, ...defined({ environment }) }, value, context))
    },
    removeSecret: ({ params, query, context }) => done(secrets.remove({ ...params, ...defined(query) }, context)),
    listTokens: () => tokenListing(views),
    createToken: async ({ body, context }) => {
      const { record, text } = await tokens.create(defined(body), context)
      return { ...tokenView(record), token: text }
    },
    removeToken: ({ params, context }) => done(tokens.remove(params.name, context)),
    listRoutes: () => routeListing(views, trafficChanges),
    listCertificates: () => certificateListing(views),
    setCertificate: async ({ params, body, context }) => {
      const set = await certificates.set(params.name, body, context)
      return certificateView(set, servingCertificates(views.state.certificates.all(), Date.now()))
    },
    removeCertificate: ({ params, context }) => done(certificates.remove(params.name, context)),
    listEvents: ({ query }) => eventListing(views, query),
  }
}
