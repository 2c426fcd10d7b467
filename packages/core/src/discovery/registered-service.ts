import type { CatalogEntry, CheckStatus } from './catalog-entry.ts'
import { worstStatus } from './catalog-entry.ts'

/** A service that Berth does not run: a program said that it is there. Key `/registered/<id>`. */
export interface RegisteredService {
  readonly id: string
  readonly name: string
  readonly address: string
  readonly port: number
  readonly tags: readonly string[]
  readonly meta: Readonly<Record<string, string>>
  readonly checks: readonly RegisteredCheck[]
  readonly updatedAt: number
  readonly updatedBy: string
}

export interface RegisteredCheck {
  readonly id: string
  readonly name: string
  readonly notes: string
  readonly status: CheckStatus
  readonly output: string
  /** Critical when nothing is heard for so long. Absent: it stays as it was said. */
  readonly ttlMs?: number
  /** The service goes when this has been critical for so long. Absent: it stays. */
  readonly deregisterAfterMs?: number
  /** When its status was last said. */
  readonly saidAt: number
  /** Absent: it is not critical. */
  readonly criticalSince?: number
}

/** As programs see it; nobody finds it by what a critical check stands for. */
export function registeredEntry(service: RegisteredService): CatalogEntry {
  const { id, name, address, port, tags, meta, checks } = service
  return {
    ...{ id, service: name, address, port, tags, meta },
    checks: checks.map(({ id: check, name: checkName, status, output, notes, ttlMs }) => ({
      ...{ id: check, name: checkName, status, output, notes, type: ttlMs === undefined ? '' : 'ttl' },
    })),
    ...(worstStatus(checks) === 'critical' ? {} : { traffic: 'taking' as const }),
  }
}

export const withStatus = (
  check: RegisteredCheck,
  { status, output }: Pick<RegisteredCheck, 'status' | 'output'>,
  now: number,
): RegisteredCheck => {
  const { criticalSince: before, ...rest } = check
  return {
    ...{ ...rest, status, output, saidAt: now },
    ...(status === 'critical' ? { criticalSince: before ?? now } : {}),
  }
}

export interface CheckClock {
  readonly now: number
  /** When somebody last heard of it, beside what is written down. Absent: nobody that is known here. */
  readonly heardAt: (check: string) => number | undefined
  /** Others may have heard of it within this part of its TTL and not written it down. */
  readonly unwritten: number
  /** Nobody can have been heard while nobody listened: no time counts before this. */
  readonly listeningSince: number
}

/**
 * What has become of a service by the time alone: checks whose time is up, critical from now on; or that it goes. undefined: nothing
 * has changed.
 */
export function decideExpiry(
  service: RegisteredService,
  { now, heardAt, unwritten, listeningSince }: CheckClock,
): { readonly remove: true } | { readonly service: RegisteredService } | undefined {
  const isGone = service.checks.some(
    ({ deregisterAfterMs, criticalSince }) =>
      deregisterAfterMs !== undefined &&
      criticalSince !== undefined &&
      now - Math.max(criticalSince, listeningSince) >= deregisterAfterMs,
  )
  if (isGone) return { remove: true }
  const checks = service.checks.map((check) => {
    const { ttlMs, saidAt, status } = check
    if (ttlMs === undefined || status === 'critical') return check
    const until = Math.max((heardAt(check.id) ?? 0) + ttlMs, Math.max(saidAt, listeningSince) + ttlMs * (1 + unwritten))
    return now < until ? check : withStatus(check, { status: 'critical', output: 'TTL expired' }, now)
  })
  return checks.every((check, place) => check === service.checks[place])
    ? undefined
    : { service: { ...service, checks } }
}
