import { describe, expect, it } from 'vitest'
import type { AppSpec } from '../model/app-spec.ts'
import { canonicalize } from './canonicalize.ts'
import type { EntrypointDocument, SpecDocument } from './spec-document.ts'
import { specToDocument } from './spec-to-document.ts'

const document = (web: EntrypointDocument, over: Partial<SpecDocument> = {}): SpecDocument => ({
  ...{ app: 'shop', image: 'nginx', entrypoints: { web } },
  ...over,
})

const problems = (given: SpecDocument): string[] =>
  canonicalize(given).issues.map(({ path, message, suggestion }) => `${path.join('.')}: ${message} | ${suggestion}`)

function specOf(given: SpecDocument): AppSpec {
  const { spec, issues } = canonicalize(given)
  expect(issues).toEqual([])
  return spec!
}

describe('network: host', () => {
  it('makes the ports of the entrypoint ports of its node', () => {
    const spec = specOf(document({ network: 'host', ports: { http: 8080, dns: '5353/udp' } }))
    expect(spec.entrypoints.web).toMatchObject({
      network: 'host',
      ports: [
        { name: 'http', port: 8080, hostPort: 8080 },
        { name: 'dns', port: 5353, protocol: 'udp', hostPort: 5353 },
      ],
    })
    expect(canonicalize(specToDocument(spec)).spec).toEqual(spec)
  })

  it('is told from the cluster’s, which is the default and not written down', () => {
    const spec = specOf(document({ network: 'cluster', ports: [8080] }))
    expect(spec).toEqual(specOf(document({ ports: [8080] })))
    expect(spec.entrypoints.web).not.toHaveProperty('network')
  })

  it.each<[why: string, given: SpecDocument, problem: RegExp]>([
    ['an unknown network', document({ network: 'hots' }), /^entrypoints.web.network: .*"hots".*did you mean "host"\?/],
    ['something else', document({ network: 'overlay' }), /network "overlay" for an entrypoint \| one of cluster, host/],
    [
      'another port of the node',
      document({ network: 'host', ports: [{ port: 8080, hostPort: 8000 }] }),
      /^entrypoints.web.ports: .*at 8080: it cannot be 8000 there \| leave `hostPort` out/,
    ],
    ['profiles', document({ network: 'host', profiles: 'db' }), /web.profiles: .*rules for the whole node/],
    ['profiles of the app', document({ network: 'host' }, { profiles: 'db' }), /web.profiles: .*`profiles: \[\]`/],
    [
      'a limit of bandwidth',
      document({ network: 'host', bandwidth: { out: '10Mbit' } }),
      /web.bandwidth: .*nobody can tell its packets from others/,
    ],
    [
      'one of an environment',
      document(
        { network: 'host' },
        { environments: { staging: { entrypoints: { web: { bandwidth: { guaranteed: { in: '1Mbit' } } } } } } },
      ),
      /^environments.staging.entrypoints.web.bandwidth: /,
    ],
    [
      'a setting of the network',
      document({ network: 'host', sysctls: { 'net.core.somaxconn': 512 } }),
      /net.core.somaxconn would be the node’s setting/,
    ],
    [
      'a low port without the capability',
      document({ network: 'host', ports: [80] }),
      /^entrypoints.web.ports: .*on 80 without.*\[NET_BIND_SERVICE\]/,
    ],
  ])('refuses %s', (_, given, problem) => {
    const found = problems(given)
    expect(found).toHaveLength(1)
    expect(found[0]).toMatch(problem)
  })

  it('has nothing against what is not the network’s', () => {
    specOf(
      document(
        {
          ...{ network: 'host', profiles: [], ports: [80], capabilities: ['NET_BIND_SERVICE'] },
          sysctls: { 'kernel.msgmax': 65_536 },
        },
        { profiles: 'db', environments: { staging: { entrypoints: { web: { cpu: 1 } } } } },
      ),
    )
  })
})
