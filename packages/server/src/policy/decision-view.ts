import type { PacketExplanation } from '@berth/api'
import { type EndDecision, formatRule } from '@berth/core'

export interface DecidingEnd {
  readonly name: string
  readonly profiles: readonly string[]
  /** Why these are not in force, and nothing passes but what always does. */
  readonly closed?: string
}

/** What one end decides, as the API says it. `exists`: whether there is a profile of that name. */
export function decisionView(
  { allowed, reason }: EndDecision,
  end: DecidingEnd,
  direction: 'in' | 'out',
  exists: (profile: string) => boolean = () => true,
): PacketExplanation['outbound'] {
  if (end.closed !== undefined && (reason.kind === 'rule' || reason.kind === 'no-rule' || reason.kind === 'gateway'))
    return {
      allowed: false,
      reason: 'closed',
      message: `${end.name} is closed, its profiles are not in force: ${end.closed}`,
    }
  const missing = end.profiles.filter((name) => !exists(name))
  if (reason.kind === 'no-rule' && missing.length > 0)
    return { allowed, reason: 'no-rule', message: `${end.name} is closed: ${missingText(missing)}` }
  const message = messageOf(reason, allowed, end, direction)
  if (reason.kind !== 'rule') return { allowed, reason: reason.kind, message }
  const { profile, number, rule } = reason
  return { allowed, reason: 'rule', message, profile, number, rule: formatRule(rule) }
}

/** `there is no profile web, which it names`. */
export const missingText = (missing: readonly string[]): string =>
  missing.length === 1
    ? `there is no profile ${missing[0]}, which it names`
    : `there are no profiles ${missing.join(', ')}, which it names`

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
      return 'it comes from a gateway, which reaches every instance by TCP and UDP'
    case 'neighbour':
      return 'it is neighbour discovery of IPv6 or the news that a packet was too big, which always pass'
    case 'resolver':
      return 'it is a question for the node’s resolver, which always passes'
  }
}
