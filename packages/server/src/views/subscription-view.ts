import type { SubscriptionView } from '@berth/api'
import type { State, SubscriptionRecord } from '../records/index.ts'

export function subscriptionView(state: State, { sealed, ...record }: SubscriptionRecord): SubscriptionView {
  const {
    name: _,
    failures = 0,
    revision = 0,
    ...position
  } = state.subscriptionPositions.get(record.name) ?? { name: '' }
  return { ...record, events: [...record.events], hasSecret: sealed !== undefined, failures, revision, ...position }
}
