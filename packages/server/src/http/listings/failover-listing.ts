import type { FailoverAddressView } from '@berth/api'
import type { FailoverPlans } from '../../failover/failover-plans.ts'
import { failoverView } from '../../views/failover-view.ts'
import type { ViewContext } from '../../views/view-context.ts'
import type { Listing } from './listing.ts'

/** Ids: the address. What gateways say of it, and how routes are learned, changes all of them. */
export const failoverListing = (context: ViewContext, plans: FailoverPlans): Listing<FailoverAddressView> => {
  const { failoverAddresses } = context.state
  return {
    all: () =>
      failoverAddresses
        .all()
        .sort((a, b) => a.createdAt - b.createdAt || a.router - b.router)
        .map((record) => failoverView(context, plans, record)),
    get: (id) => {
      const record = failoverAddresses.get(id)
      return record === undefined ? undefined : failoverView(context, plans, record)
    },
    touched: ({ kind, id }) =>
      kind === 'failoverAddresses'
        ? [id]
        : kind === 'nodes' || kind === 'nodeStatuses' || kind === 'routings'
          ? [...failoverAddresses.ids()]
          : [],
  }
}
