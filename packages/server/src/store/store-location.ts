import { BerthError } from '@berth/core'

/** Where the records are, as the command line and the machine's configuration say it. Passwords are in files, never in arguments. */
export interface StoreSettings {
  /** `sqlite`, `sqlite:PATH`, `etcd://HOST:PORT,HOST:PORT/PREFIX`; `etcds://` is TLS with the system's authorities. */
  readonly url: string
  /** Authority that signed the members' certificates: TLS. */
  readonly caFile?: string | undefined
  readonly certificateFile?: string | undefined
  readonly keyFile?: string | undefined
  readonly user?: string | undefined
  readonly passwordFile?: string | undefined
}

export type StoreLocation =
  | { readonly kind: 'sqlite'; readonly path: string | undefined }
  | {
      readonly kind: 'etcd'
      readonly addresses: readonly string[]
      readonly prefix: string
      readonly tls: boolean
      readonly compaction: boolean
    }

const defaultPrefix = '/berth'
const example = 'etcd://10.0.0.1:2379,10.0.0.2:2379,10.0.0.3:2379'

/** Throws `store.invalid-location`, which says what is wrong and how it is written. */
export function parseStoreLocation(settings: StoreSettings): StoreLocation {
  const { url } = settings
  const sqlite = /^sqlite(?::(.+))?$/s.exec(url)
  const location = sqlite ? { kind: 'sqlite' as const, path: sqlite[1] } : parseEtcd(url, settings)
  checkOptions(settings, location)
  return location
}

function parseEtcd(url: string, { caFile, certificateFile }: StoreSettings): StoreLocation {
  const [, scheme, hosts = '', path = '', query = ''] = /^(etcds?):\/\/([^/?]*)(\/[^?]*)?(?:\?(.*))?$/.exec(url) ?? []
  if (scheme === undefined) throw invalid(url, `a store is “sqlite”, “sqlite:PATH” or like ${example}`)
  if (hosts.includes('@'))
    throw invalid(
      url.replace(/\/\/.*@/, '//…@'),
      'user and password do not belong into it: use --store-user and --store-password-file',
    )
  const addresses = hosts.split(',').map((host) => checkAddress(host, url))
  if (new Set(addresses).size !== addresses.length) throw invalid(url, 'it names a member twice')
  const prefix = path.replace(/\/+$/, '')
  if (!/^(\/[A-Za-z0-9._-]+)*$/.test(prefix)) throw invalid(url, 'the prefix is like /berth or /teams/shop')
  return {
    kind: 'etcd',
    addresses,
    prefix: prefix === '' ? defaultPrefix : prefix,
    tls: scheme === 'etcds' || caFile !== undefined || certificateFile !== undefined,
    compaction: checkQuery(query, url),
  }
}

function checkAddress(host: string, url: string): string {
  const match = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(?::(\d{1,5}))?$/.exec(host)
  const port = Number(match?.[2] ?? 2379)
  if (match === null || port < 1 || port > 65_535)
    throw invalid(url, `“${host}” is no HOST:PORT; it is like ${example}`)
  return `${match[1]}:${port}`
}

function checkQuery(query: string, url: string): boolean {
  if (query === '') return true
  if (query === 'compaction=off') return false
  throw invalid(url, `“?${query}” is not known; there is ?compaction=off`)
}

function checkOptions(
  { url, caFile, certificateFile, keyFile, user, passwordFile }: StoreSettings,
  { kind }: StoreLocation,
) {
  const given = [caFile, certificateFile, keyFile, user, passwordFile].some((each) => each !== undefined)
  if (kind === 'sqlite' && given) throw invalid(url, 'authority, certificate and user belong to an etcd store')
  if ((certificateFile === undefined) !== (keyFile === undefined))
    throw invalid(url, 'a client certificate and its key go together: --store-cert and --store-key')
  if ((user === undefined) !== (passwordFile === undefined))
    throw invalid(url, 'a user and the file with the password go together: --store-user and --store-password-file')
}

const invalid = (url: string, why: string): BerthError =>
  new BerthError('store.invalid-location', `the store ${url}: ${why}`, { details: { url } })
