import type { DomainView } from '@berth/api/name-resources'
import type { ProfileView } from '@berth/api/policy-resources'
import { BerthError } from '@berth/core/model/berth-error'
import type { OwnDomain } from '@berth/core/model/own-domain'
import { formatRule, profileDocument } from '@berth/core/policy/format-profile'
import type { Profile } from '@berth/core/policy/profile'
import { readProfile } from '@berth/core/policy/read-profile'
import type { MockStore } from './mock-store.ts'

const hour = 3_600_000

export const profileView = (profile: Profile, rest: Partial<ProfileView> = {}): ProfileView => ({
  ...{ name: profile.name, tags: [...profile.tags] },
  ...{ inbound: profile.inbound.map(formatRule), outbound: profile.outbound.map(formatRule) },
  document: structuredClone(profileDocument(profile)) as ProfileView['document'],
  ...{ version: 1, instances: 0, warnings: [], updatedAt: Date.now() - 30 * hour, updatedBy: 'token:mai' },
  ...rest,
})

export const domainViewOf = (
  { name, target, addresses = [], resolvers = [] }: OwnDomain,
  version: number,
  updatedAt: number,
  warnings: readonly string[] = [],
): DomainView => ({
  ...{ name, addresses: [...addresses], resolvers: resolvers.map((each) => ({ ...each })) },
  ...(target === undefined ? {} : { target }),
  ...{ warnings: [...warnings], version, updatedAt, updatedBy: 'token:mai' },
})

export function readOrThrow(document: unknown): Profile {
  const { profile, issues } = readProfile(document)
  if (profile !== undefined) return profile
  throw new BerthError('profile.invalid', issues.map(({ message }) => message).join('; '))
}

/** Which entrypoints name which profiles; all others name none. */
export const namedProfiles: Readonly<Record<string, readonly string[]>> = {
  'shop/production/web': ['web'],
  'shop/production/worker': ['app'],
  'shop/staging/web': ['web'],
  'ledger/production/api': ['db'],
  'search/production/query': ['app', 'web'],
  'search/production/index': ['db'],
}

/** Profiles, external services, and limits of bandwidth. */
export function seedNetwork(store: MockStore, now: number): void {
  const count = (name: string): number =>
    store
      .all('listInstances')
      .filter((each) => namedProfiles[`${each.app}/${each.pool}/${each.entrypoint}`]?.includes(name)).length
  const put = (document: unknown, rest: Partial<ProfileView> = {}) => {
    const profile = readOrThrow(document)
    store.put('listProfiles', profileView(profile, { instances: count(profile.name), ...rest }))
  }
  put({ name: 'web', inbound: ['tcp:8080', 'icmp:8'], outbound: ['tcp:443', 'to app', 'to db'] })
  put({ name: 'app', tags: ['app', 'db-users'], inbound: ['tcp:9000 from web'], outbound: ['deny tcp:25', 'allow'] })
  put({
    name: 'db',
    inbound: ['from db', 'tcp:3306 from db-users', 'tcp:9100 from 10.77.0.0/16'],
    outbound: ['to old-db'],
  })
  put(
    { name: 'reports', inbound: ['tcp:80 from raeders'], outbound: [] },
    {
      warnings: [
        { path: 'inbound[0]', message: 'nobody bears the tag raeders', suggestion: 'did you mean "readers"?' },
      ],
    },
  )
  const external = { site: 'fra', routes: [], version: 1, updatedAt: now - 9 * hour, updatedBy: 'token:mai' }
  store.put('listExternals', {
    ...{ ...external, name: 'mysql.shop', hostname: 'mysql.shop.berth', addresses: ['192.0.2.70', '192.0.2.71'] },
    ...{ ports: [{ name: 'mysql', port: 3306, protocol: 'tcp' }], tags: ['old-db'] },
    routes: [
      {
        ...{ host: 'mysql.example.com', path: '/', port: 'mysql', tls: 'on' as const, stripPath: false },
        ...{ timeoutMs: 60_000, maxBodyBytes: 1024 ** 2 },
      },
    ],
  })
  store.put('listExternals', {
    ...{ ...external, name: 'search-cloud', hostname: 'search-cloud.berth', addresses: [], tags: [] },
    ...{ target: 'search-12.eu.cloud.example', ports: [{ name: 'https', port: 443, protocol: 'tcp' }] },
  })
  const domain = (own: OwnDomain, warnings: readonly string[] = []) =>
    store.put('listDomains', domainViewOf(own, 1, now - 5 * hour, warnings))
  domain({ name: 'shop.corp.example', target: 'web.production.shop' })
  domain({ name: '*.legacy.corp.example', addresses: ['192.0.2.80', '192.0.2.81'] })
  domain({ name: 'corp.internal', resolvers: [{ address: '10.0.0.53' }, { address: '10.1.0.53', site: 'fra' }] })
  domain({ name: 'wiki.corp.example', target: 'wiki' }, ['there is no app or external service wiki'])
  store.put('listFailoverAddresses', {
    ...{ address: '192.0.2.10', by: 'vrrp', chosen: false, createdAt: now - 30 * hour, createdBy: 'token:mai' },
    nodes: [
      { name: 'anchor-1', state: 'holds', since: now - 2 * hour, preferred: false },
      { name: 'anchor-2', state: 'away', message: 'its agent is away', preferred: true },
    ],
    problems: [],
  })
  store.put('listFailoverAddresses', {
    ...{ address: '2001:db8::10', by: 'bgp', chosen: true, site: 'fra', createdAt: now - hour, createdBy: 'token:mai' },
    nodes: [
      {
        name: 'anchor-3',
        state: 'waits',
        message: 'its gateway does not answer, or its link is down',
        preferred: false,
      },
    ],
    problems: ['no router is told of it: berth net peer set'],
  })
  store.put('listLans', {
    ...{ name: 'lan', mode: 'macvlan', parent: 'eth1', subnet: '192.168.7.0/24', gateway: '192.168.7.1' },
    ...{ range: '192.168.7.128/25', sliceSize: 29, groups: [], slices: { total: 16, used: 3 }, instances: 4 },
    nodes: [
      { name: 'anchor-1', slice: '192.168.7.128/29', state: 'ready' },
      { name: 'anchor-2', slice: '192.168.7.136/29', state: 'waiting', message: 'its agent is away' },
      {
        ...{ name: 'anchor-3', slice: '192.168.7.144/29', state: 'problem' as const },
        message: 'network lan: this node has no interface eth1 (ip link)',
      },
    ],
    ...{ createdAt: now - 7 * hour, createdBy: 'token:mai' },
  })
  store.put('listLans', {
    ...{ name: 'storage', mode: 'flat', parent: 'eth0', vlan: 120, subnet: '10.12.0.0/16', range: '10.12.64.0/20' },
    ...{ sliceSize: 24, label: { name: 'rack', value: 'r7' }, groups: [], slices: { total: 16, used: 0 } },
    ...{ nodes: [], instances: 0, createdAt: now - 2 * hour, createdBy: 'token:mai' },
  })
  const query = store.get('listInstances', 'search.production.query-1')
  if (query !== undefined)
    store.put('listInstances', { ...query, published: [{ hostPort: 9090, port: 9000, protocol: 'tcp' }] })
  for (const each of store.all('listInstances'))
    if (each.app === 'shop' && each.entrypoint === 'web')
      store.put('listInstances', { ...each, inBitsPerSecond: 200_000_000, outBitsPerSecond: 100_000_000 })
  for (const node of store.all('listNodes'))
    store.put('listNodes', { ...node, routes: { mode: 'bgp', sessions: 5, up: node.name === 'anchor-3' ? 3 : 5 } })
  for (const node of store.all('listNodes'))
    if (node.name.startsWith('anchor'))
      store.put('listNodes', { ...node, uplink: { name: 'eth0', bitsPerSecond: 10_000_000_000 } })
}
