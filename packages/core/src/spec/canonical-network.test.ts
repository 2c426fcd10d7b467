import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { AppSpec } from '../model/app-spec.ts'
import {
  bridgeOf,
  dockerNetworksOf,
  isDockerNetworkName,
  lanOf,
  ownNetworkOf,
  reservedNetworks,
} from '../network/network-mode.ts'
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
    [
      'something else',
      document({ network: 'overlay' }),
      /network "overlay" for an entrypoint \| one of cluster, host, bridge/,
    ],
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

describe('network: bridge', () => {
  const bridged = (over: EntrypointDocument = {}): EntrypointDocument => ({ network: 'bridge', ...over })

  it('keeps ports as they are declared, and Docker’s own bridge has one name', () => {
    const spec = specOf(document(bridged({ ports: { http: { port: 80, hostPort: 8080 }, metrics: 9090 } })))
    expect(spec.entrypoints.web).toMatchObject({
      network: 'bridge',
      ports: [
        { name: 'http', port: 80, hostPort: 8080 },
        { name: 'metrics', port: 9090 },
      ],
    })
    expect(spec.entrypoints.web?.ports[1]).not.toHaveProperty('hostPort')
    expect(specOf(document({ network: 'bridge:bridge' }))).toEqual(specOf(document({ network: 'bridge' })))
  })

  it('is any bridge by a name that Docker takes, and is written as it was read', () => {
    const name = fc
      .stringMatching(/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,30}$/)
      .filter((each) => !reservedNetworks.includes(each))
    fc.assert(
      fc.property(name, (each) => {
        const spec = specOf(document({ network: `bridge:${each}` }))
        expect(dockerNetworksOf(spec.entrypoints.web?.network)).toEqual([each])
        expect(canonicalize(specToDocument(spec)).spec).toEqual(spec)
      }),
    )
  })

  it('is told what is wrong with every other text', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        if (/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$/.test(text) && !reservedNetworks.includes(text)) return
        expect(problems(document({ network: `bridge:${text}` }))).toHaveLength(1)
      }),
    )
  })

  it.each<[why: string, given: SpecDocument, problem: RegExp]>([
    [
      'the cluster’s own network',
      document(bridged({ network: 'bridge:berth' })),
      /"berth" is no name .*network: cluster/,
    ],
    ['no name', document(bridged({ network: 'bridge:' })), /web.network: "" is no name/],
    ['a word for it', document(bridged({ network: 'brigde' })), /did you mean "bridge"\?/],
    ['profiles', document(bridged({ profiles: 'db' })), /web.profiles: .*only its node knows/],
    ['a limit of bandwidth', document(bridged({ bandwidth: { out: '10Mbit' } })), /web.bandwidth: .*Docker’s/],
    [
      'one of an environment',
      document(bridged(), { environments: { staging: { entrypoints: { web: { bandwidth: { in: '1Mbit' } } } } } }),
      /^environments.staging.entrypoints.web.bandwidth: .*network: bridge/,
    ],
    [
      'a route to a port that nothing leads to',
      document(bridged({ ports: [8080] }), { routes: ['shop.test'] }),
      /^routes.0: no gateway reaches port 8080 of "web".* \| publish it at the node: .*hostPort: 8080/,
    ],
    [
      'one of an environment to such a port',
      document(
        bridged({
          ports: [
            { name: 'a', port: 80, hostPort: 80 },
            { name: 'b', port: 81 },
          ],
        }),
        {
          environments: { staging: { routes: [{ host: 'shop.test', port: 'b' }] } },
        },
      ),
      /^environments.staging.routes.0.port: no gateway reaches port 81/,
    ],
    [
      'what is bound to such a port',
      document({ bind: ['db'] }, { entrypoints: { web: { bind: ['db'] }, db: bridged({ ports: [5432] }) } }),
      /^entrypoints.web.bind: nobody but its node reaches port 5432 of "db"/,
    ],
  ])('refuses %s', (_, given, problem) => {
    const found = problems(given)
    expect(found).toHaveLength(1)
    expect(found[0]).toMatch(problem)
  })

  it('has nothing against what is the container’s own', () => {
    specOf(
      document(
        bridged({ profiles: [], ports: [{ port: 80, hostPort: 8080 }], sysctls: { 'net.core.somaxconn': 512 } }),
        { profiles: 'db', routes: ['shop.test'] },
      ),
    )
  })
})

describe('network: lan:NAME', () => {
  const inLan = (over: EntrypointDocument = {}): EntrypointDocument => ({ network: 'lan:office', ...over })

  it('is any network of the machines’ own by its name, is written as it was read, and needs a link to its node', () => {
    const name = fc
      .stringMatching(/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,30}$/)
      .filter((each) => !reservedNetworks.includes(each) && each !== 'bridge')
    fc.assert(
      fc.property(name, (each) => {
        const spec = specOf(document({ network: `lan:${each}`, ports: [80], sysctls: { 'net.core.somaxconn': 512 } }))
        const network = spec.entrypoints.web?.network
        expect(dockerNetworksOf(network)).toEqual([each, 'berth-link'])
        expect([lanOf(network), bridgeOf(network), ownNetworkOf(network)]).toEqual([each, undefined, each])
        expect(canonicalize(specToDocument(spec)).spec).toEqual(spec)
      }),
    )
  })

  it('is told what is wrong with every other text', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        if (isDockerNetworkName(text) && !reservedNetworks.includes(text) && text !== 'bridge') return
        expect(problems(document({ network: `lan:${text}` }))).toHaveLength(1)
      }),
    )
  })

  it('is reached at its own ports, by gateways and others', () => {
    specOf(
      document(inLan({ ports: [8080], profiles: [] }), {
        ...{ profiles: 'db', routes: ['shop.test'] },
        entrypoints: { web: inLan({ ports: [8080], profiles: [] }), worker: { bind: ['web'] } },
      }),
    )
  })

  it.each<[why: string, given: SpecDocument, problem: RegExp]>([
    ['a name alone', document({ network: 'office' }), /there is no network "office".*berth net ls.*lan:office/],
    ['the cluster’s own', document({ network: 'lan:berth' }), /"berth" is no name of a network of the machines’ own/],
    ['that of links', document({ network: 'lan:berth-link' }), /"berth-link" is no name/],
    ['profiles', document(inLan({ profiles: 'db' })), /web.profiles: .*whose packets do not pass its node: no rule/],
    ['a limit of bandwidth', document(inLan({ bandwidth: { out: '10Mbit' } })), /web.bandwidth: .*nobody could limit/],
    [
      'a port of its node',
      document(inLan({ ports: [{ port: 80, hostPort: 8080 }] })),
      /^entrypoints.web.ports: .*at its own address there.* \| leave `hostPort: 8080` out/,
    ],
    ['an address that is kept', document(inLan({ address: 'keep' })), /web.address: .*what Docker gives it there/],
    ['itself once more', document(inLan({ networks: ['office'] })), /"office" is no name of another Docker network/],
  ])('refuses %s', (_, given, problem) => {
    const found = problems(given)
    expect(found).toHaveLength(1)
    expect(found[0]).toMatch(problem)
  })
})

describe('networks', () => {
  it('are put in order, and written as they were read', () => {
    const spec = specOf(document({ networks: ['vault', 'lan'] }))
    expect(spec.entrypoints.web?.networks).toEqual(['lan', 'vault'])
    expect(canonicalize(specToDocument(spec)).spec).toEqual(spec)
    expect(specOf(document({ networks: [] })).entrypoints.web).not.toHaveProperty('networks')
    expect(specOf(document({ networks: 'lan' }))).toEqual(specOf(document({ networks: ['lan'] })))
  })

  it('are those that leave the default route where it is, whatever the names', () => {
    fc.assert(
      fc.property(fc.string(), fc.constantFrom(undefined, 'bridge', 'bridge:lan', 'host'), (name, network) => {
        const found = problems(document({ networks: [name], ...(network === undefined ? {} : { network }) }))
        const own = ownNetworkOf(network === 'host' ? 'host' : (network as 'bridge' | undefined))
        const isTaken = own !== undefined && name > own && isDockerNetworkName(name) && !reservedNetworks.includes(name)
        expect(found).toHaveLength(isTaken ? 0 : 1)
      }),
    )
  })

  it.each<[why: string, given: SpecDocument, problem: RegExp]>([
    ['a name that comes first', document({ networks: ['backup'] }), /web.networks.0: .*default route.*lan-backup/],
    ['its own', document({ network: 'bridge:lan', networks: 'lan' }), /web.networks: "lan" is no name of another/],
    ['one twice', document({ networks: ['lan', 'lan'] }), /web.networks.1: the network lan is given twice/],
    ['any in the node’s own', document({ network: 'host', networks: ['lan'] }), /in all networks of its node already/],
    ['too many', document({ networks: Array.from({ length: 9 }, (_, n) => `lan-${n}`) }), /9 networks are too many/],
  ])('refuses %s', (_, given, problem) => {
    const found = problems(given)
    expect(found).toHaveLength(1)
    expect(found[0]).toMatch(problem)
  })
})
