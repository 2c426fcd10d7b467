import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { AppSpec } from '../model/app-spec.ts'
import { canonicalize } from './canonicalize.ts'
import { validDocument } from './spec-document.testing.ts'
import type { EntrypointDocument, SpecDocument } from './spec-document.ts'
import { formatPath } from './spec-issue.ts'
import { specToDocument } from './spec-to-document.ts'

const base: SpecDocument = { app: 'shop', image: 'shop:1', entrypoints: { web: { ports: [8080] } } }

const specOf = (document: SpecDocument): AppSpec => {
  const { spec, issues } = canonicalize(document)
  expect(issues).toEqual([])
  return spec!
}
const web = (entrypoint: EntrypointDocument) => specOf({ ...base, entrypoints: { web: entrypoint } }).entrypoints.web!
const issuesOf = (document: SpecDocument): string[] =>
  canonicalize(document).issues.map(({ path, message }) => `${formatPath(path)}: ${message}`)

it('fills in every default', () => {
  expect(specOf({ app: 'shop', image: 'shop:1', entrypoints: { web: null } })).toEqual({
    app: 'shop',
    build: { type: 'image', image: 'shop:1' },
    entrypoints: {
      web: {
        type: 'service',
        command: [],
        replicas: 1,
        resources: {},
        ports: [],
        env: {},
        secrets: [],
        config: [],
        bind: [],
        volumes: [],
        sysctls: {},
        ulimits: [],
        capabilities: [],
        init: false,
        health: {},
        hooks: {},
        restart: 'always',
        stop: { signal: 'SIGTERM', graceMs: 10_000 },
        drainMs: 30_000,
        readyTimeoutMs: 60_000,
        labels: {},
        logs: { maxBytes: 10 << 20, maxFiles: 3 },
        jobTimeoutMs: 0,
        placement: {
          strategy: { type: 'spread' },
          where: [],
          prefer: [],
          apart: [],
          near: [],
          max: {},
          tolerate: [],
          reschedule: { afterMs: 60_000 },
        },
        priority: 0,
        preempt: false,
        preemptible: false,
        gang: false,
      },
    },
    routes: [],
    rollout: { surge: { percent: 25 }, unavailable: 0, settleMs: 0, before: [] },
    environments: {},
  })
})

describe('ports', () => {
  const cases: [EntrypointDocument['ports'], [string, number, string][]][] = [
    [[8080], [['http', 8080, 'tcp']]],
    [
      ['53/udp', 8080],
      [
        ['udp-53', 53, 'udp'],
        ['tcp-8080', 8080, 'tcp'],
      ],
    ],
    [
      { web: 80, admin: 81, b: '82/tcp' },
      [
        ['web', 80, 'tcp'],
        ['admin', 81, 'tcp'],
        ['b', 82, 'tcp'],
      ],
    ],
    [[{ name: 'grpc', port: 5000 }], [['grpc', 5000, 'tcp']]],
  ]
  it.each(cases)('%j', (ports, expected) => {
    expect(web({ ports }).ports.map(({ name, port, protocol }) => [name, port, protocol])).toEqual(expected)
  })

  it('keep the first in its place and sort the others', () => {
    expect(web({ ports: { z: 1, y: 2, x: 3 } }).ports.map(({ name }) => name)).toEqual(['z', 'x', 'y'])
  })
})

describe('readiness', () => {
  it('is by default that the first tcp port accepts connections', () => {
    expect(web({ ports: ['53/udp', 8080, 9090] }).health.readiness).toMatchObject({
      check: { type: 'tcp', port: 8080 },
    })
  })
  it('can be turned off', () => {
    expect(web({ ports: [8080], health: { readiness: 'none' } }).health).toEqual({})
  })
  it('is a check of http in short', () => {
    expect(
      web({ ports: { http: 8080, admin: 9000 }, health: { readiness: { http: '/healthz' } } }).health.readiness,
    ).toEqual({
      check: { type: 'http', port: 8080, path: '/healthz' },
      delayMs: 0,
      intervalMs: 1000,
      timeoutMs: 1000,
      successes: 1,
      failures: 3,
    })
  })
  it('is what the program says at its socket, which it then has', () => {
    const reported = web({ ports: [8080], health: { readiness: 'report' } })
    expect(reported.health.readiness?.check).toEqual({ type: 'report' })
    expect(reported.socket).toBe(true)
    expect(web({ ports: [8080], socket: true }).socket).toBe(true)
    expect(web({ ports: [8080], socket: false }).socket).toBeUndefined()
  })
  it('finds ports by name and by number', () => {
    const ports = { http: 8080, admin: 9000 }
    for (const port of ['admin', 9000, '9000'])
      expect(web({ ports, health: { liveness: { tcp: port } } }).health.liveness?.check).toEqual({
        type: 'tcp',
        port: 9000,
      })
  })
})

it('a route of gRPC has no limit of bodies', () => {
  const routes = [{ host: 'a.b', protocol: 'grpc' as const }, 'b.b']
  const spec = specOf({ app: 'shop', image: 'shop:1', entrypoints: { web: { ports: [8080] } }, routes })
  expect(spec.routes.map(({ maxBodyBytes, options }) => [maxBodyBytes, options])).toEqual([
    [0, { protocol: 'grpc' }],
    [104_857_600, undefined],
  ])
})

it('gives routes to the first service with a tcp port', () => {
  const spec = specOf({
    ...base,
    entrypoints: {
      migrate: { type: 'job', ports: [1] },
      worker: {},
      api: { ports: ['53/udp', 80] },
      web: { ports: [8080] },
    },
    routes: ['shop.example.com/x/', { host: 'SHOP.example.com', entrypoint: 'web', port: 8080 }],
  })
  expect(spec.routes.map(({ host, path, entrypoint, port }) => [host, path, entrypoint, port])).toEqual([
    ['shop.example.com', '/', 'web', 'http'],
    ['shop.example.com', '/x', 'api', 'tcp-80'],
  ])
})

it('keeps the order of entrypoints: the first one is the default', () => {
  expect(Object.keys(specOf({ ...base, entrypoints: { z: {}, a: {}, m: {} } }).entrypoints)).toEqual(['z', 'a', 'm'])
})

describe('refuses', () => {
  const withWeb = (entrypoint: EntrypointDocument): SpecDocument => ({ ...base, entrypoints: { web: entrypoint } })
  const cases: [string, SpecDocument, string][] = [
    ['no image', { ...base, image: undefined }, ': it is not said where the image comes from'],
    ['two images', { ...base, build: { base: 'a' } }, 'build: `image` is given as well'],
    ['a bad image', { ...base, image: 'A B' }, 'image: "A B" is no image'],
    [
      'a dockerfile outside',
      { ...base, image: undefined, build: { dockerfile: '../x' } },
      'lead out of the repository',
    ],
    [
      'a chain beside a dockerfile',
      { ...base, image: undefined, build: { dockerfile: 'D', run: 'x' } },
      'build.run: `run`',
    ],
    ['no base', { ...base, image: undefined, build: { run: 'x' } }, 'build: `base` is missing'],
    [
      'a chain without a command',
      { ...base, image: undefined, build: { base: 'node:26' } },
      'web.command: `command` is missing',
    ],
    ['a level like an image', { ...base, image: undefined, build: { base: 'a_b' } }, 'cannot name a level'],
    ['no entrypoint', { ...base, entrypoints: {} }, 'entrypoints: the app has no entrypoint'],
    ['a name like an instance', { ...base, entrypoints: { 'web-1': {} } }, 'reads like an instance'],
    ['a bad signal', withWeb({ stop: { signal: 'KILL-9' } }), 'there is no signal'],
    ['too little memory', withWeb({ memory: '1Mi' }), 'at least 6Mi is needed'],
    ['a port of 0', withWeb({ ports: [0] }), 'port 0 is out of range'],
    ['a double port', withWeb({ ports: [80, 80] }), 'port 80/tcp is given twice'],
    ['a published port in short', withWeb({ ports: ['80:8080'] }), 'the one inside the container'],
    ['a report without a socket', withWeb({ socket: false, health: { readiness: 'report' } }), 'there is no socket'],
    ['a probe of no port', withWeb({ health: { readiness: { http: '/' } } }), '"web" has no tcp port'],
    [
      'a probe of another port',
      withWeb({ ports: [80], health: { liveness: { tcp: 81 } } }),
      'has no tcp port 81; it has http (80)',
    ],
    [
      'two checks',
      withWeb({ ports: [80], health: { liveness: { tcp: 80, exec: 'a' } } }),
      'liveness.exec: the probe has `tcp` already',
    ],
    ['no check', withWeb({ health: { liveness: {} } }), 'the probe checks nothing'],
    ['Berth’s variables', withWeb({ env: { BERTH_APP: 'x' } }), 'set by Berth itself'],
    ['a zero byte', withWeb({ env: { A: 'a\0b' } }), 'zero byte'],
    ['a secret with a slash', withWeb({ secrets: ['a/b'] }), 'cannot name a secret'],
    ['a secret twice', withWeb({ secrets: ['a', { name: 'b', file: 'a' }] }), '/run/secrets/a is given twice'],
    [
      'a secret beside env',
      withWeb({ env: { A: 1 }, secrets: [{ name: 'a', env: 'A' }] }),
      'given under `env` as well',
    ],
    ['a relative volume', withWeb({ volumes: ['data:data'] }), 'not absolute'],
    ['a volume with ..', withWeb({ volumes: ['/srv/../etc:/x'] }), 'holds ".."'],
    ['a double volume', withWeb({ volumes: ['a:/x', 'b:/x/'] }), '/x is taken already by a volume'],
    [
      'a volume over config',
      withWeb({ config: { '/x': '' }, volumes: ['b:/x'] }),
      'taken already by the config file /x',
    ],
    ['a volume over the image', withWeb({ volumes: ['a:/'] }), 'over the whole image'],
    ['a volume of two sources', withWeb({ volumes: [{ path: '/x', name: 'a', host: '/b' }] }), 'has `name` already'],
    ['a volume of none', withWeb({ volumes: [{ path: '/x' }] }), 'has no source'],
    ['a kernel setting of the node', withWeb({ sysctls: { 'vm.swappiness': 1 } }), 'a setting of the whole node'],
    ['an unknown limit', withWeb({ ulimits: { nofiles: 1 } }), 'no limit called "nofiles"'],
    ['a soft limit above', withWeb({ ulimits: { nofile: { soft: -1, hard: 10 } } }), 'above the hard limit'],
    ['all capabilities', withWeb({ capabilities: ['ALL'] }), 'no capability called "ALL"'],
    ['Berth’s labels', withWeb({ labels: { 'berth.app': 'x' } }), 'set by Berth itself'],
    ['a bad user', withWeb({ user: 'a b' }), 'is no user'],
    ['a bad mode', withWeb({ config: { '/x': { content: '', mode: 888 } } }), 'no file mode'],
    ['a job with replicas', withWeb({ type: 'job', replicas: 1 }), 'a job has no `replicas`'],
    ['a job with health', withWeb({ type: 'job', health: {} }), 'a job has no health'],
    ['a job restarted always', withWeb({ type: 'job', restart: 'always' }), 'cannot be restarted always'],
    ['a service with a timeout', withWeb({ timeout: '1s' }), 'only a job has a `timeout`'],
    ['binding to nothing', withWeb({ bind: ['wbe'] }), 'no entrypoint "wbe"'],
    ['binding twice', withWeb({ bind: ['a/db', 'b/db'] }), 'DB_HOST and DB_PORT are given twice'],
    ['a route to nothing', { ...base, routes: [{ host: '*', entrypoint: 'wbe' }] }, 'no entrypoint "wbe"'],
    ['a route to no port', { ...base, routes: [{ host: '*', port: 'grpc' }] }, 'has no tcp port grpc'],
    ['a double route', { ...base, routes: ['a.b', { host: 'A.b', path: '/' }] }, 'the route a.b/ is given twice'],
    ['a route with a scheme', { ...base, routes: ['http://a.b'] }, 'a host has no "http://"'],
    ['a route with a port', { ...base, routes: ['a.b:80/x'] }, 'a route has no port'],
    ['a host with spaces', { ...base, routes: ['a b'] }, 'is no host name'],
    ['an unencoded host', { ...base, routes: ['bücher.example'] }, 'ASCII form'],
    ['a path with ..', { ...base, routes: ['a.b/../x'] }, 'holds "." or ".."'],
    ['a rollout that cannot move', { ...base, rollout: { surge: 0 } }, 'both 0'],
    ['a rollout that cannot move, in shares', { ...base, rollout: { surge: '0%', unavailable: '0%' } }, 'both 0'],
    [
      'a share of more than all',
      { ...base, rollout: { surge: '101%' } },
      '"101%" is neither a number of instances nor',
    ],
    ['a number in quotes', { ...base, rollout: { unavailable: '2' } }, '"2" is neither a number of instances nor'],
    ['a service before', { ...base, rollout: { before: 'web' } }, 'is a service, which never ends'],
    ['an unknown job before', { ...base, rollout: { before: ['x'] } }, 'no entrypoint "x"'],
    ['a bad environment', { ...base, environments: { Prod: {} } }, '"Prod" cannot name an environment'],
    ['an override of nothing', { ...base, environments: { test: { entrypoints: { x: {} } } } }, 'no entrypoint "x"'],
  ]
  it.each(cases)('%s', (_what, document, message) => {
    const found = issuesOf(document)
    expect(found).toHaveLength(1)
    expect(found[0]).toContain(message)
  })
})

it('reports every mistake at once, and none that only follows from another', () => {
  const found = issuesOf({
    app: 'Shop',
    image: 'x y',
    entrypoints: { web: { ports: [99_999], health: { readiness: { tcp: 99_999 } }, cpu: '0.0001' } },
    routes: [{ host: 'a.b', entrypoint: 'web' }],
  })
  expect(found.map((each) => each.split(':')[0])).toEqual([
    'app',
    'image',
    'entrypoints.web.ports[0]',
    'entrypoints.web.cpu',
  ])
})

it('is not misled by names of Object’s own properties', () => {
  const found = issuesOf({
    ...base,
    routes: [{ host: 'a.b', entrypoint: 'constructor' }],
    rollout: { before: 'toString' },
  })
  expect(found).toHaveLength(2)
})

it('gives the same spec again for its own rendering', () => {
  fc.assert(
    fc.property(validDocument, (document) => {
      const spec = specOf(document)
      const again = specOf(specToDocument(spec))
      expect(again).toEqual(spec)
      expect(JSON.stringify(again)).toBe(JSON.stringify(spec))
    }),
    { numRuns: 300 },
  )
})

it('gives equal specs for equal meaning', () => {
  const one = specOf({
    ...base,
    entrypoints: {
      web: { ports: [8080], env: { B: 1, A: 'x' }, command: 'node a.js', volumes: ['b:/b', 'a:/a'], drain: '1m' },
    },
    routes: ['b.example', 'a.example/'],
  })
  const other = specOf({
    ...base,
    entrypoints: {
      web: {
        drain: '60s',
        volumes: [
          { path: '/a/', name: 'a' },
          { path: '/b', name: 'b', readOnly: false },
        ],
        command: ['node', 'a.js'],
        env: { A: 'x', B: '1' },
        ports: { http: { port: 8080, protocol: 'tcp' } },
      },
    },
    routes: [
      { host: 'A.example', entrypoint: 'web' },
      { host: 'b.example', port: 8080 },
    ],
  })
  expect(JSON.stringify(other)).toBe(JSON.stringify(one))
})
