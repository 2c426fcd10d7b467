import type { PlacementSpec } from '../model/placement-spec.ts'
import { contradiction } from '../schedule/contradiction.ts'
import { parseRequirement, type Requirement } from '../schedule/requirement.ts'
import { formatPeer } from './canonical-peers.ts'
import type { IssueList, SpecPath } from './spec-issue.ts'

/** Wishes that no node could ever meet, whatever the cluster; noted at the part that is given at `path`. */
export function refuseContradictions(
  issues: IssueList,
  path: SpecPath,
  placement: PlacementSpec,
  self: { readonly app: string; readonly entrypoint: string },
): void {
  const { strategy, where, near, apart, max, spread } = placement
  const impossible = contradiction(where.flatMap((text) => requirementOf(text)))
  if (impossible !== undefined) issues.add([...path, 'where'], impossible)
  const apartNames = new Set(apart.filter(({ weight }) => weight === undefined).map(formatPeer))
  for (const peer of near) {
    if (peer.weight !== undefined) continue
    const name = formatPeer(peer)
    const { entrypoint: _, ...whole } = peer
    if (apartNames.has(name) || apartNames.has(formatPeer(whole)))
      issues.add([...path, 'near'], `${name} is to be near and apart at the same time`)
    if (peer.app === self.app && (peer.entrypoint ?? self.entrypoint) === self.entrypoint)
      issues.add([...path, 'near'], `${self.entrypoint} would wait for itself: the first instance is near to none`, {
        suggestion: 'write {to: …, soft: true}, or `strategy: pack`',
      })
  }
  if ('count' in strategy && max.node !== undefined && strategy.count > max.node)
    issues.add(
      [...path, 'max', 'node'],
      `${strategy.type}: ${strategy.count} on a node is more than max.node: ${max.node}`,
    )
  if (strategy.type === 'each' && spread !== undefined)
    issues.add([...path, 'spread'], 'with `strategy: each` there is nothing to spread: every node has as many', {
      atKey: true,
      suggestion: 'leave it out',
    })
}

function requirementOf(text: string): Requirement[] {
  const read = parseRequirement(text)
  return read.ok ? [read.value] : []
}
