import { ruleCounters } from '../../policy/rule-counters.ts'
import type { Handlers } from '../handler.ts'
import type { Services } from '../services.ts'

type NetHandlers = Pick<Handlers, 'getProfileCounters'>

export const netHandlers = ({ views: { state }, profiles, agents }: Services): NetHandlers => ({
  getProfileCounters: ({ params, signal }) => ruleCounters(profiles.require(params.name), { state, agents, signal }),
})
