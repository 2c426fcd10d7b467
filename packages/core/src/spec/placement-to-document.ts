import type { PlacementPeer, PlacementSpec, PlacementStrategy, SpreadShares } from '../model/placement-spec.ts'
import { formatTarget } from './canonical-peers.ts'
import { formatTaint } from './canonical-placement.ts'
import { formatDuration, formatShare } from './quantities.ts'
import type { PeerDocument, PlacementDocument, SharesDocument } from './spec-document.ts'

/** The parts that are given, as a user would write them. */
export function placementToDocument(placement: Partial<PlacementSpec>): PlacementDocument {
  const { group, strategy, where, prefer, apart, near, spread, max, tolerate, reschedule } = placement
  return {
    ...(group === undefined ? {} : { group }),
    ...(strategy === undefined ? {} : { strategy: strategyToDocument(strategy) }),
    ...(where === undefined ? {} : { where }),
    ...(prefer === undefined ? {} : { prefer }),
    ...(apart === undefined ? {} : { apart: apart.map(peerToDocument) }),
    ...(near === undefined ? {} : { near: near.map(peerToDocument) }),
    ...(spread === undefined ? {} : { spread: sharesToDocument(spread) }),
    ...(max === undefined ? {} : { max }),
    ...(tolerate === undefined ? {} : { tolerate: tolerate.map(formatTaint) }),
    ...(reschedule === undefined
      ? {}
      : { reschedule: { after: reschedule === 'never' ? reschedule : formatDuration(reschedule.afterMs) } }),
  }
}

function strategyToDocument(strategy: PlacementStrategy): NonNullable<PlacementDocument['strategy']> {
  if (strategy.type === 'fill') return { fill: strategy.count }
  if (strategy.type !== 'each') return strategy.type
  return strategy.count === 1 ? 'each' : { each: strategy.count }
}

const peerToDocument = (peer: PlacementPeer): string | PeerDocument => {
  const { weight, over } = peer
  if (weight === undefined && over === undefined) return formatTarget(peer)
  return {
    to: formatTarget(peer),
    ...(weight === undefined ? {} : { soft: weight }),
    ...(over === undefined ? {} : { over }),
  }
}

function sharesToDocument({ over, shares }: SpreadShares): SharesDocument {
  if (shares === undefined) return { over }
  return {
    over,
    shares: Object.fromEntries(Object.entries(shares).map(([value, share]) => [value, formatShare(share)])),
  }
}
