import { hostProblem } from './route-table-problems.ts'

/** What decides which of several certificates for one name gateways show. Times in ms since the epoch. */
export interface OfferedCertificate {
  readonly name: string
  readonly hosts: readonly string[]
  readonly notBefore: number
  readonly notAfter: number
  /** Obtained, where others were given by people. */
  readonly acme?: true | undefined
}

/**
 * By host (exact, or `*.suffix`), the certificate that gateways show: one that is valid now before one that is not, one that people gave
 * before one that was obtained, then the one that ends last. Names that no gateway can serve are left out.
 */
export function servingCertificates<T extends OfferedCertificate>(
  offered: readonly T[],
  now: number,
): ReadonlyMap<string, T> {
  const serving = new Map<string, T>()
  for (const certificate of [...offered].sort(byRank(now)))
    for (const host of certificate.hosts) if (!serving.has(host) && isServed(host)) serving.set(host, certificate)
  return serving
}

export interface Superseded {
  readonly host: string
  /** Name of the certificate that is shown for it. */
  readonly by: string
}

/** Names of a certificate for which another one is shown. */
export function supersededHosts(
  { name, hosts }: Pick<OfferedCertificate, 'name' | 'hosts'>,
  serving: ReadonlyMap<string, OfferedCertificate>,
): Superseded[] {
  return [...new Set(hosts)].flatMap((host) => {
    const by = serving.get(host)?.name
    return by === undefined || by === name ? [] : [{ host, by }]
  })
}

const isServed = (host: string): boolean => host !== '*' && hostProblem(host) === undefined

const byRank =
  (now: number) =>
  (a: OfferedCertificate, b: OfferedCertificate): number =>
    Number(isValid(b, now)) - Number(isValid(a, now)) ||
    Number(a.acme === true) - Number(b.acme === true) ||
    b.notAfter - a.notAfter ||
    (a.name < b.name ? -1 : 1)

const isValid = ({ notBefore, notAfter }: OfferedCertificate, now: number): boolean =>
  notBefore <= now && now < notAfter
