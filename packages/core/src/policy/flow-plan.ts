import { decidePacket, type PacketDecision } from './decide-packet.ts'
import { type Flow, firstPacket } from './flow.ts'
import type { PolicyWorld } from './policy-world.ts'

/** A flow for which a change of rules makes a difference. */
export interface ChangedFlow {
  readonly flow: Flow
  /** By the rules as they would be. */
  readonly decision: PacketDecision
}

export interface FlowPlan {
  /** Allowed now, and not any more. The kernel lets them go on until they end; made anew they are dropped. */
  readonly cut: readonly ChangedFlow[]
  /** Not allowed now, and then. */
  readonly opened: readonly ChangedFlow[]
}

/** What a change from one world to another means for flows that there are. */
export function planFlows(flows: Iterable<Flow>, before: PolicyWorld, after: PolicyWorld): FlowPlan {
  const cut: ChangedFlow[] = []
  const opened: ChangedFlow[] = []
  for (const flow of flows) {
    const packet = firstPacket(flow)
    const wasAllowed = decidePacket(packet, before).allowed
    const decision = decidePacket(packet, after)
    if (wasAllowed && !decision.allowed) cut.push({ flow, decision })
    if (!wasAllowed && decision.allowed) opened.push({ flow, decision })
  }
  return { cut, opened }
}
