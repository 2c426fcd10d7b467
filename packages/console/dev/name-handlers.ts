import type { InstanceView } from '@berth/api/instance-resources'
import type { DomainView, ExternalView } from '@berth/api/name-resources'
import { BerthError } from '@berth/core/model/berth-error'
import { type DomainDocument, readDomain } from '@berth/core/network/read-domain'
import { type ExternalDocument, readExternal } from '@berth/core/network/read-external'
import { optionsToDocument } from '@berth/core/spec/route-options'
import { type JsonHandlers, need } from './handlers.ts'
import type { MockStore } from './mock-store.ts'
import { domainViewOf } from './seed-network.ts'

/** Names of what Berth does not run, and ways to what it runs. */
export function nameHandlers(store: MockStore): JsonHandlers {
  return {
    setExternal: ({ params: { name = '' }, body }) => setExternal(store, name, body),
    setDomain: ({ params: { name = '' }, query, body }) => setDomain(store, name, query, body),
    removeDomain: ({ params: { name = '' } }) => {
      store.remove('listDomains', name)
      return { ok: true as const }
    },
    removeFailoverAddress: ({ params: { address = '' } }) => {
      store.remove('listFailoverAddresses', address)
      return { ok: true as const }
    },
    removeLan: ({ params: { name = '' } }) => {
      const { instances } = need(store.get('listLans', name), `network ${name}`)
      if (instances > 0)
        throw new BerthError('lan.in-use', `remove the network ${name}: shop/production/web uses it; take it out first`)
      store.remove('listLans', name)
      return { ok: true as const }
    },
    publishPort: ({ params: { id = '' }, body }) => publishPort(store, id, body),
    unpublishPort: ({ params: { id = '', hostPort = '' } }) => {
      const { published = [], ...rest } = need(store.get('listInstances', id), `instance ${id}`)
      const left = published.filter((each) => each.hostPort !== Number(hostPort))
      return store.put('listInstances', left.length === 0 ? rest : { ...rest, published: left })
    },
    attachNetwork: ({ params: { id = '' }, body: { name, address = '192.168.71.9' } }) => {
      const instance = need(store.get('listInstances', id), `instance ${id}`)
      if (name !== 'storage')
        throw new BerthError(
          'attach.no-network',
          `attach ${id} to ${name}: ${instance.node} has no such Docker network`,
        )
      return store.put('listInstances', { ...instance, networks: [...(instance.networks ?? []), { name, address }] })
    },
    detachNetwork: ({ params: { id = '', network = '' } }) => {
      const { networks = [], ...rest } = need(store.get('listInstances', id), `instance ${id}`)
      return store.put('listInstances', { ...rest, networks: networks.filter(({ name }) => name !== network) })
    },
    removeExternal: ({ params: { name = '' } }) => {
      store.remove('listExternals', name)
      return { ok: true as const }
    },
  }
}

type RouteOptionsDocument = NonNullable<ExternalView['routes'][number]['options']>

function setExternal(store: MockStore, name: string, body: ExternalDocument): ExternalView {
  const { external, issues } = readExternal(name, body, { domain: 'berth', addressPools: ['10.77.0.0/16'] })
  if (external === undefined)
    throw new BerthError(
      'external.invalid',
      `external service ${name}: ${issues.map(({ message }) => message).join('; ')}`,
    )
  const { addresses, ports, tags, routes, ...rest } = external
  const version = (store.get('listExternals', name)?.version ?? 0) + 1
  return store.put('listExternals', {
    ...{ ...rest, addresses: [...addresses], tags: [...tags], hostname: `${name}.berth` },
    ports: ports.map((each) => ({ ...each })),
    routes: routes.map(({ options, ...each }) => ({
      ...each,
      ...(options === undefined ? {} : { options: optionsToDocument(options) as RouteOptionsDocument }),
    })),
    ...{ version, updatedAt: Date.now(), updatedBy: 'token:dev' },
  })
}

function setDomain(
  store: MockStore,
  name: string,
  query: Readonly<Record<string, string>>,
  body: DomainDocument,
): DomainView {
  const { domain, issues } = readDomain(name, body, 'berth')
  if (domain === undefined)
    throw new BerthError('domain.invalid', `domain ${name}: ${issues.map(({ message }) => message).join('; ')}`)
  const version = store.get('listDomains', name)?.version ?? 0
  if (query.version !== undefined && Number(query.version) !== version)
    throw new BerthError('domain.changed', `domain ${name} has version ${version} by now, not ${query.version}`)
  return store.put('listDomains', domainViewOf(domain, version + 1, Date.now()))
}

function publishPort(store: MockStore, id: string, port: NonNullable<InstanceView['published']>[number]): InstanceView {
  const instance = need(store.get('listInstances', id), `instance ${id}`)
  const holder = store
    .all('listInstances')
    .find(
      ({ node, published = [] }) => node === instance.node && published.some((each) => each.hostPort === port.hostPort),
    )
  if (holder !== undefined)
    throw new BerthError(
      'publish.port-taken',
      `publish ${port.hostPort}:${port.port} for ${id}: port ${port.hostPort} of ${instance.node} is that of ${holder.id}`,
    )
  return store.put('listInstances', { ...instance, published: [...(instance.published ?? []), port] })
}
