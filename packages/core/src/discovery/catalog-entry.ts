/** One instance of a service, as programs made for Consul know it. */
export interface CatalogEntry {
  /** Unique in the cluster: the instance's. */
  readonly id: string
  readonly service: string
  /** Absent: none of Berth's; it is told as being on {@link outsideNode}. */
  readonly node?: string
  /** Where it stands, if it is on no node. */
  readonly site?: string
  readonly address: string
  /** 0: it listens nowhere. */
  readonly port: number
  readonly tags: readonly string[]
  readonly meta: Readonly<Record<string, string>>
  readonly checks: readonly CatalogCheck[]
  /** Where requests may go: `taking`; `draining`: it finishes those that it has; absent: nowhere. */
  readonly traffic?: 'taking' | 'draining'
}

export type CheckStatus = 'passing' | 'warning' | 'critical'

export interface CatalogCheck {
  readonly id: string
  readonly name: string
  readonly status: CheckStatus
  readonly output: string
  readonly notes: string
  /** `ttl`, or empty. */
  readonly type: string
}

const rank: Readonly<Record<CheckStatus, number>> = { passing: 0, warning: 1, critical: 2 }

/** The worst of them; passing where there is none. */
export const worstStatus = (checks: readonly { readonly status: CheckStatus }[]): CheckStatus =>
  checks.reduce<CheckStatus>((worst, { status }) => (rank[status] > rank[worst] ? status : worst), 'passing')

/**
 * A key that nginx-upsync reads, `upstreams/<service>/<address>:<port>`, with what it says: whole numbers, as upsync writes them itself.
 * undefined: no request may go there.
 */
export function upsyncKey(entry: CatalogEntry): { readonly key: string; readonly value: string } | undefined {
  if (entry.traffic === undefined || entry.port === 0 || entry.address.includes(':')) return undefined
  const down = entry.traffic === 'draining' ? 1 : 0
  return {
    key: `${upstreamsOf(entry.service)}${entry.address}:${entry.port}`,
    value: JSON.stringify({ weight: 1, max_fails: 2, fail_timeout: 10, backup: 0, down }),
  }
}

export const upstreamsPrefix = 'upstreams/'

/** Below it are the members of a service. */
export const upstreamsOf = (service: string): string => `${upstreamsPrefix}${service}/`

/** What the node of those is called that are on none of Berth's. */
export const outsideNode = 'external'
