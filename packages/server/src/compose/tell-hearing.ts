import { messageOf } from '@berth/core'
import type { Logger } from 'pino'
import type { AgentLinks } from '../agents/agent-links.ts'
import type { Leadership } from '../leadership/index.ts'

const lookMs = 2_000

/** Tells the other servers how many agents this one hears, whenever that has changed. */
export function tellHearing(leadership: Leadership, agents: AgentLinks, log: Logger): Disposable {
  let told: number | undefined
  const timer = setInterval(() => {
    const hears = agents.connected.length
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
