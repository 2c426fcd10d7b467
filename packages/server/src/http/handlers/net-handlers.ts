import { liveFlowGroups, liveFlows } from '../../policy/live-flows.ts'
import { netMatrix } from '../../policy/net-matrix.ts'
import { planProfiles } from '../../policy/plan-profiles.ts'
import { recentDrops } from '../../policy/recent-drops.ts'
import { ruleCounters } from '../../policy/rule-counters.ts'
import type { Handlers } from '../handler.ts'
import type { Services } from '../services.ts'

type NetHandlers = Pick<
  Handlers,
  'getProfileCounters' | 'listFlows' | 'listFlowGroups' | 'getNetMatrix' | 'listDrops' | 'planProfiles'
>

export const netHandlers = ({ views: { state }, profiles, agents }: Services): NetHandlers => ({
  listFlows: ({ query, signal }) => liveFlows(query, { state, agents, signal }),
  listFlowGroups: ({ query, signal }) => liveFlowGroups(query, { state, agents, signal }),
  getNetMatrix: ({ query }) => netMatrix(state, query),
  listDrops: ({ query, signal }) => recentDrops(query, { state, agents, signal }),
  planProfiles: ({ body, signal }) => planProfiles(body, { state, agents, signal }),
  getProfileCounters: ({ params, signal }) => ruleCounters(profiles.require(params.name), { state, agents, signal }),
})
