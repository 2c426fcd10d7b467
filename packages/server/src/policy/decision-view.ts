import type { PacketExplanation } from '@berth/api'
import { type EndDecision, formatRule } from '@berth/core'

export interface DecidingEnd {
  readonly name: string
  readonly profiles: readonly string[]
}

/** What one end decides, as the API says it. */
export function decisionView(
  { allowed, reason }: EndDecision,
  end: DecidingEnd,
  direction: 'in' | 'out',
): PacketExplanation['outbound'] {
  const message = messageOf(reason, allowed, end, direction)
  if (reason.kind !== 'rule') return { allowed, reason: reason.kind, message }
  const { profile, number, rule } = reason
  return { allowed, reason: 'rule', message, profile, number, rule: formatRule(rule) }
}

function messageOf(
  reason: EndDecision['reason'],
  allowed: boolean,
  { name, profiles }: DecidingEnd,
  direction: 'in' | 'out',
): string {
  const list = direction === 'in' ? 'inbound' : 'outbound'
  switch (reason.kind) {
    case 'rule':
      return `${list} rule ${reason.number} of profile ${reason.profile} ${allowed ? 'allows' : 'denies'} it: ${formatRule(reason.rule)}`
    case 'no-rule':
      return `no ${list} rule of ${profiles.length === 1 ? 'profile' : 'profiles'} ${profiles.join(', ')} allows it`
    case 'no-profile':
      return `${name} has no profile, and so no rules`
    case 'no-instance':
      return `${name} is no instance: nothing is asked on this end`
    case 'established':
      return 'it belongs to a connection that stands'
    case 'own-node':
      return 'it comes from its own node: probes and what runs there always pass'
    case 'gateway':
      return 'it comes from a gateway, which reaches every instance by TCP'
    case 'neighbour':
      return 'it is neighbour discovery of IPv6 or the news that a packet was too big, which always pass'
    case 'resolver':
      return 'it is a question for the node’s resolver, which always passes'
  }
}
