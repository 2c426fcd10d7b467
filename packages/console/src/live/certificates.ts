import type { CertificateView, RouteView } from '@berth/api/traffic-resources'
import type { Tone } from './states.ts'

const dayMs = 86_400_000
/** Long enough to get a new one through an approval; then short enough to be alarmed. */
const soonMs = 30 * dayMs
const alarmMs = 7 * dayMs

export type Expiry = 'expired' | 'alarm' | 'soon' | 'fine'

export function expiryOf(notAfter: number, now: number): Expiry {
  if (notAfter <= now) return 'expired'
  if (notAfter - now <= alarmMs) return 'alarm'
  return notAfter - now <= soonMs ? 'soon' : 'fine'
}

export const expiryTone: Readonly<Record<Expiry, Tone>> = { expired: 'bad', alarm: 'bad', soon: 'warn', fine: 'ok' }

/** `*.example.com` stands for one label, as browsers have it. */
export function covers(name: string, host: string): boolean {
  if (name === host) return true
  const dot = host.indexOf('.')
  return name.startsWith('*.') && dot > 0 && host.slice(dot) === name.slice(1)
}

const isCovered = (certificates: readonly CertificateView[], host: string): boolean =>
  certificates.some(({ hosts }) => hosts.some((name) => covers(name, host)))

const wantsTls = ({ tls, host }: RouteView): boolean => tls !== 'off' && host !== '*'

/** Hosts of routes with TLS for which the gateway has no certificate. */
export function uncoveredHosts(
  routes: readonly RouteView[],
  certificates: readonly CertificateView[],
): readonly string[] {
  const hosts = routes.filter(wantsTls).map(({ host }) => host)
  return [...new Set(hosts)].filter((host) => !isCovered(certificates, host)).sort()
}

/** Hosts of routes with TLS that no certificate but this one covers. */
export function hostsOnlyBy(
  certificate: CertificateView,
  certificates: readonly CertificateView[],
  routes: readonly RouteView[],
): readonly string[] {
  const others = certificates.filter(({ name }) => name !== certificate.name)
  const with_ = uncoveredHosts(routes, certificates)
  return uncoveredHosts(routes, others).filter((host) => !with_.includes(host))
}
