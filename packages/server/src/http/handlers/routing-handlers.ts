import { routingView } from '../../views/routing-view.ts'
import type { Handlers } from '../handler.ts'
import type { Services } from '../services.ts'

type RoutingHandlers = Pick<
  Handlers,
  'getRouting' | 'updateRouting' | 'setRoutingPeer' | 'removeRoutingPeer' | 'getNodeRoutes'
>

export const routingHandlers = ({ routing, nodeRoutes }: Services): RoutingHandlers => ({
  getRouting: () => routingView(routing),
  updateRouting: async ({ body, context }) => {
    await routing.change(body, context)
    return routingView(routing)
  },
  setRoutingPeer: async ({ params, body, context }) => {
    const { address, as, label, password } = body
    const given = { ...(label === undefined ? {} : { label }), ...(password === undefined ? {} : { password }) }
    await routing.setPeer({ ...{ name: params.name, address, as }, ...given }, context)
    return routingView(routing)
  },
  removeRoutingPeer: async ({ params, context }) => {
    await routing.removePeer(params.name, context)
    return routingView(routing)
  },
  getNodeRoutes: ({ params, signal }) => nodeRoutes.of(params.name, { signal }),
})
