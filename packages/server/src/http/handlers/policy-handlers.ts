import { explainPacket } from '../../policy/explain-packet.ts'
import { profileView } from '../../views/profile-view.ts'
import type { Handlers } from '../handler.ts'
import { profileListing } from '../listings/profile-listing.ts'
import type { Services } from '../services.ts'

type PolicyHandlers = Pick<Handlers, 'listProfiles' | 'getProfile' | 'putProfile' | 'removeProfile' | 'explainPacket'>

export const policyHandlers = ({ views: { state }, profiles }: Services): PolicyHandlers => ({
  listProfiles: () => profileListing(state),
  getProfile: ({ params }) => profileView(state, profiles.require(params.name)),
  putProfile: async ({ params, query, body, context }) =>
    profileView(state, await profiles.put(params.name, body, query, context)),
  removeProfile: async ({ params, query, context }) => {
    await profiles.remove(params.name, query, context)
    return { ok: true }
  },
  explainPacket: ({ query }) => explainPacket(state, query),
})
