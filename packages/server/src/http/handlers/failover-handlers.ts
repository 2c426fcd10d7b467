import { failoverView } from '../../views/failover-view.ts'
import { done, type Handlers } from '../handler.ts'
import { failoverListing } from '../listings/failover-listing.ts'
import type { Services } from '../services.ts'

type FailoverHandlers = Pick<
  Handlers,
  'listFailoverAddresses' | 'getFailoverAddress' | 'addFailoverAddress' | 'removeFailoverAddress'
>

/** Addresses of the gateways' own that stay reachable when one of them dies. */
export const failoverHandlers = ({ views, failoverAddresses, failoverPlans }: Services): FailoverHandlers => ({
  listFailoverAddresses: () => failoverListing(views, failoverPlans),
  getFailoverAddress: ({ params }) => failoverView(views, failoverPlans, failoverAddresses.require(params.address)),
  addFailoverAddress: async ({ body, context }) =>
    failoverView(views, failoverPlans, await failoverAddresses.add(body, context)),
  removeFailoverAddress: ({ params, context }) => done(failoverAddresses.remove(params.address, context)),
})
