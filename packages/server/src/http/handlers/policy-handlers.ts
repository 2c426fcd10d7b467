import { explainPacket } from '../../policy/explain-packet.ts'
import { profileUsers } from '../../policy/profile-users.ts'
import { validateProfile } from '../../policy/validate-profile.ts'
import { countInstances, profileView } from '../../views/profile-view.ts'
import { done, type Handlers } from '../handler.ts'
import { profileListing } from '../listings/profile-listing.ts'
import type { Services } from '../services.ts'

type PolicyHandlers = Pick<
  Handlers,
  | 'listProfiles'
  | 'getProfile'
  | 'getProfileUsers'
  | 'putProfile'
  | 'validateProfile'
  | 'removeProfile'
  | 'explainPacket'
>

export const policyHandlers = ({ views: { state }, profiles }: Services): PolicyHandlers => ({
  listProfiles: () => profileListing(state),
  getProfile: ({ params }) => profileView(state, profiles.require(params.name)),
  getProfileUsers: ({ params }) => {
    const { name } = profiles.require(params.name)
    return { entrypoints: profileUsers(state, name), instances: countInstances(state).get(name) ?? 0 }
  },
  validateProfile: ({ body }) => validateProfile(body.text),
  putProfile: async ({ params, query, body, context }) =>
    profileView(state, await profiles.put(params.name, body, query, context)),
  removeProfile: ({ params, query, context }) => done(profiles.remove(params.name, query, context)),
  explainPacket: ({ query }) => explainPacket(state, query),
})
