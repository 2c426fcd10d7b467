import { hostname } from 'node:os'
import type { ErrorBody } from '@berth/api'
import { BerthError, type ErrorDetails, isDiskFull } from '@berth/core'

/** Codes whose status their name does not tell. */
const statusByCode: Readonly<Record<string, number>> = {
  'auth.missing': 401,
  'auth.invalid-relay': 401,
  'auth.invalid-token': 401,
  'auth.token-expired': 401,
  'auth.invalid-session': 401,
  'auth.session-expired': 401,
  'auth.forbidden': 403,
  'auth.foreign-origin': 403,
  'auth.too-many-failures': 429,
  'attach.address-elsewhere': 409,
  'attach.address-taken': 409,
  'attach.impossible': 409,
  'attach.no-network': 409,
  'attach.not-found': 404,
  'attach.of-entrypoint': 409,
  'attach.too-many': 409,
  'address-pool.collides': 409,
  'address-pool.default': 409,
  'address-pool.in-use': 409,
  'address-pool.ipv6-routes': 409,
  'address-pool.ipv6-set': 409,
  'address-pool.none': 409,
  'address-pool.overlap': 409,
  'address-pool.too-many': 409,
  'approval.forbidden': 403,
  'approval.required': 409,
  'group.default': 409,
  'group.in-use': 409,
  'group.not-allowed': 403,
  'leadership.over': 503,
  'join.invalid-token': 401,
  'join.too-many-failures': 429,
  'join.token-expired': 401,
  'join.token-used': 401,
  'join.wrong-cluster': 401,
  'request.too-large': 413,
  'request.too-many-streams': 429,
  'request.upgrade-required': 426,
  'request.unsupported-media-type': 415,
  'secret.too-large': 413,
  'secret.too-many': 409,
  'server.alone': 409,
  'server.disk-full': 507,
  'server.failed': 500,
  'source.bundle-too-large': 413,
  'consul.no-datacenter': 500,
  'consul.too-large': 413,
  'consul.wrong-method': 405,
  'kv.derived': 409,
  'subscription.too-many': 409,
  'subscription.undeliverable': 502,
  'registration.name-taken': 409,
  'registration.too-many': 409,
  'kv.too-large': 413,
  'kv.too-many': 409,
  'configuration.busy': 409,
  'configuration.in-progress': 409,
  'configuration.none-before': 409,
  'configuration.not-running': 409,
  'configuration.too-large': 413,
  'node.in-use': 409,
  'node.no-reference': 409,
  'node.offline': 503,
  'app.name-taken': 409,
  'app.removing': 409,
  'cloud-routes.no-table': 409,
  'build.ended': 409,
  'build.running': 409,
  'build.no-node': 503,
  'environment.unknown': 404,
  'external.changed': 409,
  'domain.changed': 409,
  'hook.bad-signature': 401,
  'hook.too-many-failures': 429,
  'failover.exists': 409,
  'failover.no-gateway': 409,
  'failover.routes': 409,
  'failover.taken': 409,
  'failover.too-many': 409,
  'failover.too-many-gateways': 409,
  'lan.collides': 409,
  'lan.in-use': 409,
  'lan.overlap': 409,
  'lan.too-many': 409,
  'domain.too-many': 409,
  'external.too-many': 409,
  'instance.not-running': 409,
  'net.no-instance': 404,
  'network.pool-exhausted': 409,
  'pipeline.changed': 409,
  'pipeline.too-many-refs': 409,
  'plan.stale': 409,
  'promotion.no-chain': 409,
  'promotion.not-in-chain': 404,
  'promotion.not-next': 409,
  'promotion.not-succeeded': 409,
  'promotion.nothing': 409,
  'pool.empty': 409,
  'pool.removing': 409,
  'release.none-before': 409,
  'release.not-tested': 409,
  'release.not-deployable': 409,
  'registry.none': 404,
  'registry.no-image': 404,
  'registry.no-such-repository': 404,
  'registry.login-needed': 409,
  'registry.unreachable': 502,
  'registry.bad-answer': 502,
  'registry.not-here': 409,
  'registry.no-node': 409,
  'registry.port-taken': 409,
  'registry.program-missing': 409,
  'registry.unsuitable-node': 409,
  'profile.changed': 409,
  'profile.in-use': 409,
  'profile.too-many': 409,
  'publish.old-agent': 409,
  'publish.program-listens': 409,
  'publish.bridge-network': 409,
  'publish.lan-network': 409,
  'publish.host-network': 409,
  'publish.not-found': 404,
  'publish.port-taken': 409,
  'publish.too-many': 409,
  'rebalance.none': 404,
  'rebalance.not-running': 409,
  'rebalance.running': 409,
  'resize.no-room': 409,
  'routing.bird-silent': 502,
  'rollout.in-progress': 409,
  'approval.own': 403,
  'approval.twice': 409,
  'approval-rule.exists': 409,
  'approval-rule.invalid': 400,
  'approval-rule.not-found': 404,
  'approval-rule.too-many': 409,
  'hook-target.invalid': 400,
  'hook-target.not-found': 404,
  'hook-target.too-many': 409,
  'freeze.active': 409,
  'freeze.exists': 409,
  'freeze.invalid': 400,
  'freeze.not-found': 404,
  'freeze.too-many': 409,
  'prometheus.invalid': 400,
  'prometheus.not-set': 404,
  'rollout.no-such-step': 409,
  'rollout.nothing-before': 409,
  'rollout.wrong-state': 409,
  'source.auth-required': 502,
  'source.failed': 502,
  'source.path-needs-admin': 403,
  'source.timeout': 502,
  'source.unreachable': 502,
  'upgrade.no-executable': 409,
  'upgrade.running': 409,
  'upgrade.too-far-apart': 409,
  'store.compacted': 410,
  'store.future-revision': 410,
  'store.too-large': 413,
}

/** By the reason, the part after the dot; the first that matches counts. */
const statusByReason: readonly (readonly [RegExp, number])[] = [
  [/^(not-found|.*-not-found)$/, 404],
  [/^(exists|conflict|.*-conflict)$/, 409],
]

/** Failures of the server or of what it stands on, not of the call. */
const statusByArea: Readonly<Record<string, number>> = {
  store: 503,
  state: 503,
  server: 503,
  record: 500,
  secrets: 500,
  authority: 500,
  file: 500,
  agent: 502,
  engine: 502,
  link: 502,
}

/** What is neither found above nor the server's own failure is a call that cannot be fulfilled as it stands. */
export function statusOf(code: string): number {
  const [area = '', reason = ''] = code.split('.')
  const known = statusByCode[code] ?? statusByReason.find(([pattern]) => pattern.test(reason))?.[1]
  return known ?? statusByArea[area] ?? 400
}

export interface ErrorAnswer {
  readonly status: number
  readonly body: ErrorBody
}

/** What a caller learns of a failure. Anything but a `BerthError` is a fault of the program: the log has it, the caller its number. */
export function toErrorAnswer(error: unknown, requestId: string): ErrorAnswer {
  if (error instanceof BerthError) {
    return { status: statusOf(error.code), body: errorBody(error.code, error.message, error.retryable, error.details) }
  }
  const fromFramework = frameworkError(error)
  if (fromFramework !== undefined) return fromFramework
  if (isDiskFull(error)) return diskFull()
  const message = `the server failed on this call; its log has the details under request ${requestId}`
  return { status: 500, body: errorBody('server.failed', message, false, { request: requestId }) }
}

/** Not of the store, which says so itself, but of what lies beside it: sources, output of builds, backups on their way. */
function diskFull(): ErrorAnswer {
  const message = `the disk of the server on ${hostname()} is full, so it could not keep what this call needs; make room there (berth status of that server says where), then try again`
  return { status: statusOf('server.disk-full'), body: errorBody('server.disk-full', message, true) }
}

export const errorBody = (code: string, message: string, retryable = false, details: ErrorDetails = {}): ErrorBody => ({
  error: { code, message, retryable, details },
})

/** Refusals that come before any handler: broken JSON, a body that is too large. */
function frameworkError(error: unknown): ErrorAnswer | undefined {
  const { statusCode, message } = error as { readonly statusCode?: unknown; readonly message?: string }
  if (typeof statusCode !== 'number' || statusCode < 400 || statusCode > 499) return undefined
  const codes: Readonly<Record<number, string>> = { 413: 'request.too-large', 415: 'request.unsupported-media-type' }
  return {
    status: statusCode,
    body: errorBody(codes[statusCode] ?? 'request.invalid', message ?? 'the request is broken'),
  }
}
