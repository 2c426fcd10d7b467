import type { BuildView, CertificateView, EventView, RegistryView, RouteView, SecretView, TokenView } from '@berth/api'
import { type BerthEvent, type Build, supersededHosts, type Token } from '@berth/core'
import type { TrafficPortRoute, TrafficRoute } from '../controllers/traffic.ts'
import type { CertificateRecord, RegistryRecord, SecretRecord } from '../records/index.ts'
import { portRouteUrl, routeUrl } from './route-url.ts'
import { defined, type GatewayAddress } from './view-context.ts'

/** `ahead`: of one that waits, how many begin before it. */
export function buildView(build: Build, ahead?: number): BuildView {
  const { id, app, ref, commit, subject, state, reused, node, image, release, rollout, error, testsSince } = build
  const deployTo = build.deployTo ?? build.trigger?.deploy
  const { createdAt, startedAt, endedAt, createdBy } = build
  return {
    ...defined({ id, app, ref, commit, subject, state, reused, node, image, release, deployTo, rollout }),
    ...(error === undefined ? {} : { error: errorView(error) }),
    ...(build.trigger === undefined ? {} : { trigger: { ref: build.trigger.ref, by: build.trigger.by } }),
    ...defined({ ahead, testsSince, createdAt, startedAt, endedAt, createdBy }),
  }
}

const errorView = ({ code, message, logTail }: NonNullable<Build['error']>): NonNullable<BuildView['error']> => ({
  code,
  message,
  ...(logTail === undefined ? {} : { logTail: [...logTail] }),
})

/** No value, not even a sealed one. */
export function secretView(secret: SecretRecord): SecretView {
  const { app, environment, name, version, updatedAt, updatedBy } = secret
  return defined({ app, environment, name, version, updatedAt, updatedBy })
}

/** No password, not even a sealed one. */
export function registryView(registry: RegistryRecord): RegistryView {
  const { host, username, version, updatedAt, updatedBy } = registry
  return { host, username, version, updatedAt, updatedBy }
}

/** No hash. */
export function tokenView(token: Token): TokenView {
  const { name, owner, role, createdAt, createdBy, expiresAt } = token
  return defined({ name, owner, role, createdAt, createdBy, expiresAt })
}

export function eventView(event: BerthEvent): EventView {
  const { id, at, type, actor, subject, message } = event
  return { id, at, type, actor, subject: { ...subject }, message }
}

/** No key. `serving` as of `servingCertificates`. */
export function certificateView(
  certificate: CertificateRecord,
  serving: ReadonlyMap<string, CertificateRecord>,
): CertificateView {
  const { name, hosts, notBefore, notAfter, updatedAt, updatedBy } = certificate
  const superseded = supersededHosts(certificate, serving)
  const others = superseded.length === 0 ? {} : { superseded }
  return { name, hosts: [...hosts], notBefore, notAfter, updatedAt, updatedBy, ...others }
}

export function routeView(route: TrafficRoute, gateway: GatewayAddress, certified: Iterable<string>): RouteView {
  const { host, path, app, pool, entrypoint, external, tls, maintenance, members } = route
  const url = routeUrl(route, gateway, certified)
  return {
    url,
    host,
    path,
    app,
    pool,
    entrypoint,
    ...(external === undefined ? {} : { external }),
    tls,
    ...(maintenance === undefined ? {} : { maintenance }),
    members: members.map(({ instance, address, port, state }) => ({ instance, address, port, state })),
  }
}

export function portRouteView(route: TrafficPortRoute, gateway: GatewayAddress): RouteView {
  const { app, pool, entrypoint, allow, members } = route
  return {
    ...{ url: portRouteUrl(route, gateway), host: '', path: '', app, pool, entrypoint, tls: 'off' },
    ...(allow.length === 0 ? {} : { allow: [...allow] }),
    members: members.map(({ instance, address, port, state }) => ({ instance, address, port, state })),
  }
}
