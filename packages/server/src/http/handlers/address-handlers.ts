import type { AddressPool } from '@berth/core'
import { addressPoolView } from '../../views/address-pool-view.ts'
import { done, type Handlers } from '../handler.ts'
import type { Services } from '../services.ts'

type AddressHandlers = Pick<
  Handlers,
  | 'listAddresses'
  | 'getAddress'
  | 'checkAddresses'
  | 'releaseAddresses'
  | 'listAddressPools'
  | 'getAddressPool'
  | 'addAddressPool'
  | 'updateAddressPool'
  | 'removeAddressPool'
>

export function addressHandlers({ addressPools, addressUses, views: { state } }: Services): AddressHandlers {
  const viewOf = (pool: AddressPool) => addressPoolView(state, pool, addressPools.nodesOf(pool))
  return {
    listAddresses: ({ query, signal }) => addressUses.list(query, { signal }),
    getAddress: ({ params, signal }) => addressUses.show(params.address, { signal }),
    checkAddresses: ({ query, signal }) => addressUses.check(query, { signal }),
    releaseAddresses: ({ body, signal }) => addressUses.release(body, { signal }),
    listAddressPools: () => ({ items: addressPools.all().map(viewOf) }),
    getAddressPool: ({ params }) => viewOf(addressPools.require(params.name)),
    addAddressPool: async ({ body, context }) => viewOf(await addressPools.add(body, context)),
    updateAddressPool: async ({ params, body, context }) =>
      viewOf(await addressPools.update(params.name, body, context)),
    removeAddressPool: ({ params, context }) => done(addressPools.remove(params.name, context)),
  }
}
