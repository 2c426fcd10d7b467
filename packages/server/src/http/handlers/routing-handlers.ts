import { routingView } from '../../views/routing-view.ts'
import type { Handlers } from '../handler.ts'
import type { Services } from '../services.ts'

type RoutingHandlers = Pick<
  Handlers,
  | 'getRouting'
  | 'updateRouting'
  | 'setRoutingPeer'
  | 'removeRoutingPeer'
  | 'setCloudTable'
  | 'removeCloudTable'
  | 'getNodeRoutes'
  | 'getRoutingSessions'
>

export function routingHandlers({ routing, nodeRoutes, views: { state } }: Services): RoutingHandlers {
  const view = () => routingView(routing, state)
  return {
    getRouting: () => view(),
    updateRouting: async ({ body, context }) => {
      await routing.change(body, context)
      return view()
    },
    setRoutingPeer: async ({ params, body, context }) => {
      const { address, as, label, password } = body
      const given = { ...(label === undefined ? {} : { label }), ...(password === undefined ? {} : { password }) }
      await routing.setPeer({ ...{ name: params.name, address, as }, ...given }, context)
      return view()
    },
    removeRoutingPeer: async ({ params, context }) => {
      await routing.removePeer(params.name, context)
      return view()
    },
    setCloudTable: async ({ params: { name }, body: { url, site, token }, context }) => {
      await routing.setTable({ name, url, token, ...(site === undefined ? {} : { site }) }, context)
      return view()
    },
    removeCloudTable: async ({ params, context }) => {
      await routing.removeTable(params.name, context)
      return view()
    },
    getRoutingSessions: ({ signal }) => nodeRoutes.sessions({ signal }),
    getNodeRoutes: ({ params, signal }) => nodeRoutes.of(params.name, { signal }),
  }
}
