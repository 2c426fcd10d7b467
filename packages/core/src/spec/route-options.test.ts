import { describe, expect, it } from 'vitest'
import { optionsToDocument, routeOptions } from './route-options.ts'
import type { RouteDocument } from './spec-document.ts'
import { IssueList } from './spec-issue.ts'

const read = (document: RouteDocument) => {
  const issues = new IssueList()
  const options = routeOptions(issues, (key) => ['routes', 0, key], document)
  return { options, issues: issues.independent().map(({ path, message }) => [path.slice(2).join('.'), message]) }
}

describe('options of a route', () => {
  it.each<[string, RouteDocument, object | undefined]>([
    ['none', { host: 'x' }, undefined],
    [
      'a rate',
      { limit: '100/s' },
      { limit: { requests: 100, periodMs: 1_000, burst: 100, concurrent: 0, per: 'client' } },
    ],
    [
      'a number is a second’s',
      { limit: 5 },
      { limit: { requests: 5, periodMs: 1_000, burst: 5, concurrent: 0, per: 'client' } },
    ],
    [
      'a slow rate',
      { limit: { requests: '30/m', per: 'route' } },
      { limit: { requests: 30, periodMs: 60_000, burst: 1, concurrent: 0, per: 'route' } },
    ],
    [
      'only so many at a time',
      { limit: { concurrent: 9, burst: 0 } },
      { limit: { requests: 0, periodMs: 1_000, burst: 0, concurrent: 9, per: 'client' } },
    ],
    ['sticky', { sticky: true }, { stickyCookie: 'berth_instance' }],
    ['by a cookie of one’s own', { sticky: 'stay' }, { stickyCookie: 'stay' }],
    ['not sticky', { sticky: false }, undefined],
    [
      'times',
      { connectTimeout: '500ms', sendTimeout: '5s', slowStart: '30s' },
      { connectTimeoutMs: 500, sendTimeoutMs: 5_000, slowStartMs: 30_000 },
    ],
    ['retries for answers', { retries: { on: [504, 502, 502] } }, { retryOn: [502, 504] }],
    ['and so many', { retries: { count: 5, on: [503] } }, { retries: 5, retryOn: [503] }],
    ['in full', { retries: { count: 1 } }, { retries: 1 }],
    ['gRPC', { protocol: 'grpc', sticky: false, maxBody: 0 }, { protocol: 'grpc' }],
    ['HTTP, as always', { protocol: 'http' }, undefined],
    ['no retries', { retries: 0 }, { retries: 0 }],
    ['never passed over', { ejection: 'off' }, { ejection: { failures: 0, restMs: 0 } }],
    ['later passed over', { ejection: { failures: 5 } }, { ejection: { failures: 5, restMs: 2_000 } }],
    ['the page', { whenEmpty: 'maintenance' }, { whenEmpty: 'maintenance' }],
    ['as always', { whenEmpty: 'keep' }, undefined],
    [
      'sites',
      { sites: { prefer: 'near', spillBelow: '57%', spillAt: 9, writes: 'bj' } },
      { sites: { prefer: 'near', spillBelow: 0.57, spillAt: 9, writes: 'bj' } },
    ],
  ])('%s', (_, document, expected) => {
    const { options, issues } = read(document)
    expect([options, issues]).toEqual([expected, []])
    if (options !== undefined) expect(read(optionsToDocument(options)).options).toEqual(options)
  })

  it.each<[string, RouteDocument, string, RegExp]>([
    ['no rate', { limit: 'much' }, 'limit', /no rate of requests/],
    ['none at all', { limit: { requests: '0/s' } }, 'limit.requests', /no rate of requests/],
    ['nothing', { limit: { per: 'client' } }, 'limit', /nothing is limited/],
    ['a cookie that could end the header', { sticky: 'a; Domain=x' }, 'sticky', /no name of a cookie/],
    ['too many retries', { retries: 11 }, 'retries', /out of range/],
    ['too long', { connectTimeout: '5m' }, 'connectTimeout', /too much/],
    ['no share', { sites: { spillBelow: '0.7' } }, 'sites.spillBelow', /no share/],
    ['no site', { sites: { writes: 'b j' } }, 'sites.writes', /no name of a site/],
    ['what is never asked', { sites: { prefer: 'any', spillAt: 5 } }, 'sites.spillAt', /nothing spills over/],
    ['a retry for what is no fault', { retries: { on: [503, 404] } }, 'retries.on.1', /answer 404/],
    ['a retry of nobody', { retries: { count: 0, on: [503] } }, 'retries.on', /count: 0/],
    ['retries of gRPC', { protocol: 'grpc', retries: { on: [503] } }, 'retries.on', /status of their own/],
    ['gRPC without TLS', { protocol: 'grpc', tls: 'off' }, 'tls', /needs HTTP\/2/],
    ['a part of a method', { protocol: 'grpc', stripPath: true }, 'stripPath', /service and method/],
    ['the length of a stream', { protocol: 'grpc', maxBody: '1Mi' }, 'maxBody', /has no length/],
    ['a cookie for gRPC', { protocol: 'grpc', sticky: true }, 'sticky', /keep no cookies/],
    ['no rest', { ejection: { rest: '1ms' } }, 'ejection.rest', /too little/],
  ])('%s is refused', (_, document, path, message) => {
    expect(read(document).issues).toEqual([[path, expect.stringMatching(message)]])
  })
})
