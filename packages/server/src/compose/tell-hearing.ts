import { messageOf } from '@berth/core'
import type { Logger } from 'pino'
import type { AgentLinks } from '../agents/agent-links.ts'
import { hearsTooFew, type Leadership } from '../leadership/index.ts'
import type { State } from '../records/index.ts'

const lookMs = 2_000
/** Agents dial a server that has just started, or that they were cut off from for a moment, well within it. */
const patienceLooks = 5

/**
 * Tells the other servers how many agents this one hears, whenever that has changed. A leader of `cluster` that hears fewer than half of
 * what another one hears gives the role up: whoever hears more acts better.
 */
export function tellHearing(leadership: Leadership, state: State, agents: AgentLinks, log: Logger): Disposable {
  let told: number | undefined
  let deafLooks = 0
  const timer = setInterval(() => {
    const hears = agents.connected.length
    deafLooks = hearsTooFew(hears, heardByOthers(state, leadership.name)) ? deafLooks + 1 : 0
    if (deafLooks >= patienceLooks && leadership.term('cluster') !== undefined) {
      deafLooks = 0
      leadership.stepDown('cluster', `it hears ${hears} nodes, and another server more than twice as many`)
    }
    if (hears === told) return
    told = hears
    leadership.describe({ hears }).catch((error: unknown) => {
      told = undefined
      log.debug({ err: error }, `tell how many agents are heard: ${messageOf(error)}`)
    })
  }, lookMs)
  timer.unref()
  return { [Symbol.dispose]: () => clearInterval(timer) }
}

/** Of each of the other servers: the nodes that it hears. */
export const heardByOthers = (state: State, own: string): readonly number[] =>
  [...state.members.values()].flatMap(({ name, hears }) => (name === own ? [] : (hears ?? [])))
