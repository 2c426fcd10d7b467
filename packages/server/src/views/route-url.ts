import type { PortProtocol, RouteTls } from '@berth/core'
import type { State } from '../records/index.ts'
import type { GatewayAddress } from './view-context.ts'

interface RoutePlace {
  readonly host: string
  readonly path: string
  readonly tls: RouteTls
}

/**
 * Where a browser finds a route: `https://shop.example.com/api`. A route that is served both ways is shown with TLS only when there is
 * a certificate for its host: an address that a browser warns of is no address to print.
 */
export function routeUrl(route: RoutePlace, gateway: GatewayAddress, certified: Iterable<string>): string {
  const secure = route.tls === 'redirect' || (route.tls === 'on' && covers(certified, route.host))
  const port = secure ? gateway.httpsPort : gateway.httpPort
  const host = route.host === '*' ? gateway.host : route.host
  const standard = port === (secure ? 443 : 80)
  return `${secure ? 'https' : 'http'}://${host}${standard ? '' : `:${port}`}${route.path === '/' ? '' : route.path}`
}

/** Where a client finds a port of the gateways: `tcp://gateway.example.com:5432`. */
export const portRouteUrl = (
  { protocol, port }: { readonly protocol: PortProtocol; readonly port: number },
  gateway: GatewayAddress,
): string => `${protocol}://${gateway.host.includes(':') ? `[${gateway.host}]` : gateway.host}:${port}`

function covers(names: Iterable<string>, host: string): boolean {
  for (const name of names) {
    if (name === host) return true
    if (name.startsWith('*.') && host.indexOf('.') > 0 && host.slice(host.indexOf('.')) === name.slice(1)) return true
  }
  return false
}

/** Every name that the gateway has a certificate for. */
export const certifiedNames = (state: State): string[] => [...state.certificates.values()].flatMap((each) => each.hosts)
