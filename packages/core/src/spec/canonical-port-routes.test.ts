import { describe, expect, it } from 'vitest'
import { canonicalize } from './canonicalize.ts'
import { diffSpecs } from './diff-specs.ts'
import { resolvePortRoutes, resolveSpec } from './resolve-environment.ts'
import type { RouteDocument, SpecDocument } from './spec-document.ts'
import { formatPath } from './spec-issue.ts'
import { specToDocument } from './spec-to-document.ts'

const document = (...routes: readonly (string | RouteDocument)[]): SpecDocument => ({
  ...{ app: 'shop', image: 'shop:1', routes },
  entrypoints: {
    web: { ports: [8080, '9000/tcp'] },
    dns: { ports: ['53/udp', '53/tcp'] },
    job: { type: 'job', command: 'x' },
  },
})
const specOf = (of: SpecDocument) => {
  const { spec, issues } = canonicalize(of)
  if (spec === undefined) throw new Error(JSON.stringify(issues))
  return spec
}
const issuesOf = (...routes: readonly RouteDocument[]) =>
  canonicalize(document(...routes)).issues.map(
    ({ path, message, suggestion }) => `${formatPath(path)}: ${message} [${suggestion ?? ''}]`,
  )

describe('routes of ports', () => {
  it('stand among the others, sorted by port; what is not said follows from the entrypoints', () => {
    const spec = specOf(
      document(
        { udp: 53 },
        'shop.example.com',
        { tcp: 5432, entrypoint: 'web', port: 9000, allow: ['10.1.2.3', '2001:db8::/32'] },
        { tcp: 53, entrypoint: 'dns', sticky: '8h', whenEmpty: 'refuse', sites: { prefer: 'any' } },
      ),
    )
    expect(spec.routes.map(({ host }) => host)).toEqual(['shop.example.com'])
    expect(spec.portRoutes).toEqual([
      {
        protocol: 'tcp',
        listen: 53,
        entrypoint: 'dns',
        port: 'tcp-53',
        stickyMs: 28_800_000,
        whenEmpty: 'refuse',
        sites: { prefer: 'any' },
      },
      { protocol: 'udp', listen: 53, entrypoint: 'dns', port: 'udp-53' },
      { protocol: 'tcp', listen: 5432, entrypoint: 'web', port: 'tcp-9000', allow: ['10.1.2.3/32', '2001:db8::/32'] },
    ])
    expect(specOf(specToDocument(spec))).toEqual(spec)
    expect(specOf(document('a.b'))).not.toHaveProperty('portRoutes')
  })

  it('are replaced by an environment’s own routes as a whole, and differ by port', () => {
    const whole = {
      ...document({ tcp: 5432 }),
      environments: { staging: { routes: [{ tcp: 6432 }] }, plain: { routes: [] } },
    }
    const spec = specOf(whole)
    expect(
      ['production', 'staging', 'plain'].map((each) => resolvePortRoutes(spec, each).map(({ listen }) => listen)),
    ).toEqual([[5432], [6432], []])
    expect(resolveSpec(spec, 'staging').portRoutes?.[0]?.listen).toBe(6432)
    expect(resolveSpec(spec, 'plain')).not.toHaveProperty('portRoutes')
    const changes = diffSpecs(
      spec,
      specOf({
        ...whole,
        routes: [
          { tcp: 5432, allow: '10.0.0.0/8' },
          { udp: 5432, entrypoint: 'dns' },
        ],
      }),
    )
    expect(changes.map(({ op, path }) => `${op} ${path}`)).toEqual([
      '+ routes["5432/tcp"].allow',
      '+ routes["5432/udp"]',
    ])
  })

  it('say what is wrong with them', () => {
    expect(issuesOf({ tcp: 1, udp: 2 })).toEqual(['routes[0].udp: a route is of one protocol [write two routes]'])
    expect(issuesOf({ tcp: 0 }, { tcp: 9, entrypoint: 'job' }, { tcp: 9 })).toEqual([
      'routes[0].tcp: port 0 is out of range (1 to 65535) []',
      expect.stringContaining('routes[1].entrypoint: "job" is a job'),
      expect.stringContaining('routes[1].entrypoint: "job" has no tcp port'),
    ])
    expect(issuesOf({ tcp: 9 }, { tcp: 9, entrypoint: 'dns' })).toEqual([
      'routes[1]: the gateways’ port 9/tcp is given twice []',
    ])
    expect(
      issuesOf({
        tcp: 9,
        timeout: '5s',
        whenEmpty: 'maintenance',
        sites: { writes: 'bj' },
        allow: ['10.0.0.1/8', 'nobody'],
      }),
    ).toEqual([
      expect.stringContaining('routes[0].timeout: `timeout` is of requests by HTTP'),
      'routes[0].allow[0]: "10.0.0.1/8" has bits set behind its prefix; the block around it is 10.0.0.0/8 []',
      expect.stringContaining('routes[0].allow[1]: "nobody/32" is no address block'),
      expect.stringContaining('routes[0].sites.writes: `writes` is of requests by HTTP'),
      expect.stringContaining('routes[0].whenEmpty: there is no page to show'),
    ])
    expect(issuesOf({ tcp: 9, sticky: 'cart' }, { tcp: 10, sticky: '0s' }, { tcp: 11, sticky: true })).toEqual([
      'routes[0].sticky: "cart" is no time: of a port there is no cookie to name [write true, or for how long a client is remembered: sticky: 8h]',
      expect.stringContaining('routes[1].sticky: '),
    ])
    expect(issuesOf({ host: 'a.b', allow: '10.0.0.0/8', whenEmpty: 'refuse' })).toEqual([
      expect.stringContaining('routes[0].allow: `allow` is of routes of a port'),
      expect.stringContaining('routes[0].whenEmpty: a host is asked by HTTP'),
    ])
  })
})
