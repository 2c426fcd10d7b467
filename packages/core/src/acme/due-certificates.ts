/** A certificate that is there. */
export interface HeldCertificate {
  /** Names, or `*.suffix` for one label. */
  readonly hosts: readonly string[]
  readonly notBefore: number
  readonly notAfter: number
  /** It was obtained by Berth, which renews it. */
  readonly acme: boolean
}

/** What became of the last try for one host. */
export interface FailedTry {
  readonly host: string
  /** In a row. */
  readonly failures: number
  readonly at: number
}

export interface CertificateNeeds {
  /** Hosts of routes that are served with TLS. */
  readonly hosts: Iterable<string>
  readonly certificates: readonly HeldCertificate[]
  readonly failed: readonly FailedTry[]
}

export type HostState = 'own' | 'held' | 'due' | 'waits' | 'cannot'

export interface HostNeed {
  readonly host: string
  /** `own`: somebody gave one. `held`: good for now. `waits`: it failed, and is tried again at `nextAt`. `cannot`: no authority would give one. */
  readonly state: HostState
  readonly notAfter?: number
  readonly nextAt?: number
}

const minuteMs = 60_000
const hourMs = 60 * minuteMs
/** Authorities count failures by the hour: the first pauses stay below that, the last are a day. */
const pauses = [minuteMs, 10 * minuteMs, hourMs, 6 * hourMs, 24 * hourMs] as const
/** Tries that fail, for all hosts together. */
const mostFailuresAnHour = 30

/** What is to be done about the certificate of each host at `now`; those that are due first, the most urgent before others. */
export function certificateNeeds({ hosts, certificates, failed }: CertificateNeeds, now: number): HostNeed[] {
  const tries = new Map(failed.map((each) => [each.host, each]))
  const recent = failed.map(({ at }) => at).filter((at) => at > now - hourMs)
  const roomAt = recent.length < mostFailuresAnHour ? now : Math.min(...recent) + hourMs
  const needs = [...new Set(hosts)].map((host) => needOf(host, certificates, tries.get(host), now, roomAt))
  return needs.sort((a, b) => urgency(a) - urgency(b) || (a.host < b.host ? -1 : 1))
}

function needOf(
  host: string,
  certificates: readonly HeldCertificate[],
  failed: FailedTry | undefined,
  now: number,
  roomAt: number,
): HostNeed {
  const held = certificates.filter((each) => each.hosts.some((name) => covers(name, host)))
  const own = held.find(({ acme }) => !acme)
  if (own !== undefined) return { host, state: 'own', notAfter: own.notAfter }
  if (!isObtainable(host)) return { host, state: 'cannot' }
  const best = held.toSorted((a, b) => b.notAfter - a.notAfter)[0]
  const until = best === undefined ? {} : { notAfter: best.notAfter }
  if (best !== undefined && now < renewAt(best)) return { host, state: 'held', ...until, nextAt: renewAt(best) }
  const nextAt = Math.max(roomAt, failed === undefined ? now : failed.at + pauseMs(failed.failures))
  return nextAt > now ? { host, state: 'waits', ...until, nextAt } : { host, state: 'due', ...until }
}

/** When a third of its time is left. */
export const renewAt = ({ notBefore, notAfter }: Pick<HeldCertificate, 'notBefore' | 'notAfter'>): number =>
  notAfter - (notAfter - notBefore) / 3

export const pauseMs = (failures: number): number => pauses[Math.min(failures, pauses.length) - 1] ?? 0

/** Names that an authority can look up and ask: no wildcards, which need DNS; no addresses; no names of one label. */
export const isObtainable = (host: string): boolean =>
  !host.includes('*') && host.includes('.') && !/^[0-9.]+$/.test(host) && !host.includes('_')

const covers = (name: string, host: string): boolean =>
  name === host || (name.startsWith('*.') && host.indexOf('.') > 0 && host.slice(host.indexOf('.')) === name.slice(1))

const urgency = ({ state, notAfter }: HostNeed): number => (state === 'due' ? (notAfter ?? 0) : Number.MAX_SAFE_INTEGER)
