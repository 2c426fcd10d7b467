import type { IssueList, SpecPath } from '../spec/spec-issue.ts'
import type { PolicyRule } from './profile.ts'

/** Parts of a rule that cannot hold together. */
export function checkRule(issues: IssueList, path: SpecPath, rule: PolicyRule): void {
  const { protocol, icmpType, icmpCode, source, destination } = rule
  const hasPorts = source.ports !== undefined || destination.ports !== undefined
  const isIcmp = protocol === 'icmp' || protocol === 'icmpv6'
  if (hasPorts && protocol !== 'tcp' && protocol !== 'udp')
    issues.add(path, `${protocol === undefined ? 'a rule with ports needs a protocol' : `${protocol} has no ports`}`, {
      suggestion: 'say tcp or udp; for both write two rules',
    })
  if ((icmpType !== undefined || icmpCode !== undefined) && !isIcmp)
    issues.add(path, `only ICMP has types and codes`, { suggestion: 'say icmp or icmpv6' })
  else if (icmpCode !== undefined && icmpType === undefined)
    issues.add(path, 'a code of ICMP means something together with its type only', { suggestion: 'give the type too' })
  const families = new Set(familiesOf(rule))
  if (families.size > 1)
    issues.add(path, 'no packet is of IP version 4 and 6 at once: this rule would never match', {
      suggestion: 'write one rule for each version',
    })
}

/** IP versions that parts of it are tied to. */
export function familiesOf({ protocol, source, destination }: PolicyRule): (4 | 6)[] {
  const nets = [source.net, destination.net].flatMap((net) => (net === undefined ? [] : [net.family]))
  if (protocol === 'icmp') return [...nets, 4]
  return protocol === 'icmpv6' ? [...nets, 6] : nets
}
