import { hostname, networkInterfaces } from 'node:os'
import type { GatewayAddress } from '../views/view-context.ts'

/** Every name and address at which this machine may be reached; they go into the server's certificate. */
export function ownNames(extra: readonly string[] = []): string[] {
  const addresses = Object.values(networkInterfaces())
    .flatMap((each) => each ?? [])
    .map((each) => each.address.replace(/%.*$/, ''))
    .filter((address) => !address.startsWith('fe80:'))
  return [...new Set(['localhost', hostname(), ...extra, '127.0.0.1', '::1', ...addresses])]
}

/** What others are told to dial: the first name given, else this machine's first outside address. */
export function advertisedHost(listenHost: string, extra: readonly string[] = []): string {
  const wildcard = listenHost === '0.0.0.0' || listenHost === '::'
  if (!wildcard && extra.length === 0) return bracketed(listenHost)
  const outside = Object.values(networkInterfaces())
    .flatMap((each) => each ?? [])
    .find((each) => !each.internal && each.family === 'IPv4')?.address
  return bracketed(extra[0] ?? outside ?? '127.0.0.1')
}

const bracketed = (host: string): string => (host.includes(':') ? `[${host}]` : host)

/** From `http://10.0.0.5:8080`; routes that take any host are shown with this one. */
export function gatewayAddress(url: string | undefined, httpsPort: number): GatewayAddress {
  const parsed = url === undefined ? null : URL.parse(url)
  if (parsed === null) return { host: 'localhost', httpPort: 80, httpsPort }
  const port = parsed.port === '' ? undefined : Number(parsed.port)
  if (parsed.protocol === 'https:') return { host: parsed.hostname, httpPort: 80, httpsPort: port ?? 443 }
  return { host: parsed.hostname, httpPort: port ?? 80, httpsPort }
}
