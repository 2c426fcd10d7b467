import type { RouteTls } from '@berth/core'
import type { GatewayAddress } from './view-context.ts'

interface RoutePlace {
  readonly host: string
  readonly path: string
  readonly tls: RouteTls
}

/** Where a browser finds a route: `https://shop.example.com/api`. */
export function routeUrl(route: RoutePlace, gateway: GatewayAddress): string {
  const secure = route.tls !== 'off'
  const port = secure ? gateway.httpsPort : gateway.httpPort
  const host = route.host === '*' ? gateway.host : route.host
  const standard = port === (secure ? 443 : 80)
  return `${secure ? 'https' : 'http'}://${host}${standard ? '' : `:${port}`}${route.path === '/' ? '' : route.path}`
}
