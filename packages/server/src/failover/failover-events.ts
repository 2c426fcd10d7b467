import type { NodeFailoverStatus, NodeStatus } from '@berth/core'
import type { EventDraft, State } from '../records/index.ts'

const holdsOf = (status: NodeStatus | undefined): ReadonlyMap<string, NodeFailoverStatus> =>
  new Map((status?.failover ?? []).flatMap((each) => (each.state === 'holds' ? [[each.address, each]] : [])))

/** What a node's report says of failover addresses that have come to it or left it. */
export function failoverEvents(state: State, before: NodeStatus | undefined, after: NodeStatus): EventDraft[] {
  const [old, now] = [holdsOf(before), holdsOf(after)]
  const node = after.name
  const events: EventDraft[] = []
  for (const address of now.keys()) {
    if (old.has(address) || !state.failoverAddresses.has(address)) continue
    const others = [...state.nodeStatuses.values()]
      .filter((each) => each.name !== node && holdsOf(each).has(address))
      .map(({ name, online }) => (online ? name : `${name} (offline)`))
    const beside = others.length === 0 ? '' : `; before or beside it ${others.sort().join(', ')}`
    events.push({ type: 'failover.taken', subject: { node }, message: `${node} has ${address} now${beside}` })
  }
  for (const address of old.keys()) {
    if (now.has(address)) continue
    const why = after.failover?.find((each) => each.address === address)?.why
    const said = why === undefined ? '' : `: ${why}`
    events.push({ type: 'failover.left', subject: { node }, message: `${node} has let go of ${address}${said}` })
  }
  return events
}
