import { describe, expect, test } from 'vitest'
import { sampleMember, sampleRoute, sampleTable, sampleTarget } from './route-table.testing.ts'
import type { PortRoute, Route, RouteTable } from './route-table.ts'
import { findRouteTableProblems, hostProblem, pathProblem } from './route-table-problems.ts'

const certificatePem = '-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n'
const keyPem = '-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n'

const pathsOf = (table: RouteTable): string[] => findRouteTableProblems(table).map((problem) => problem.path)
const withRoute = (route: Route): RouteTable => sampleTable(1, [route])

const port: PortRoute = { id: 'port', protocol: 'tcp', port: 53, targets: [sampleTarget([sampleMember(80)])] }
const withPorts = (...ports: PortRoute[]): RouteTable => ({ ...sampleTable(1, []), ports })

describe('a table without problems', () => {
  test.each<[string, RouteTable]>([
    ['empty', sampleTable(0, [])],
    ['one route', withRoute(sampleRoute([8080]))],
    ['one host, two paths', sampleTable(1, [sampleRoute([1]), sampleRoute([1], { path: '/api' })])],
    [
      'exact, wildcard and any',
      sampleTable(
        1,
        ['a.b', '*.b', '*'].map((host) => sampleRoute([1], { host })),
      ),
    ],
    ['IPv6', withRoute(sampleRoute([sampleMember(80, { address: 'fd00::7' }), sampleMember(80, { address: '::' })]))],
    ['ports', withPorts(port, { ...port, id: 'udp', protocol: 'udp', allow: ['10.0.0.0/8', 'fd00::/8'] })],
    ['a certificate', sampleTable(1, [], [{ hosts: ['a.b', '*.a.b'], certificatePem, keyPem }])],
  ])('%s', (_, table) => {
    expect(findRouteTableProblems(table)).toEqual([])
  })
})

describe('problems are found where they are', () => {
  const route = sampleRoute([8080])
  const member = (given: object) => withRoute(sampleRoute([sampleMember(80, given)]))
  test.each<[string, RouteTable, string[]]>([
    ['version', sampleTable(-1, []), ['version']],
    ['same port', withPorts(port, { ...port, id: 'other' }), ['ports[1]']],
    ['a port’s number', withPorts({ ...port, port: 65_536 }), ['ports[0].port']],
    ['allowed', withPorts({ ...port, allow: ['10.0.0.0/33', 'x'] }), ['ports[0].allow[0]', 'ports[0].allow[1]']],
    [
      'a twin',
      withPorts({ ...port, targets: [sampleTarget([sampleMember(80, { address6: '10.0.0.1' })])] }),
      ['ports[0].targets[0].members[0].address6'],
    ],
    ['same host and path', sampleTable(1, [route, { ...route, id: 'other' }]), ['routes[1]']],
    ['same id', sampleTable(1, [route, { ...route, path: '/x' }]), ['routes[1].id']],
    ['id', withRoute({ ...route, id: '' }), ['routes[0].id']],
    ['host', withRoute({ ...route, host: 'Shop' }), ['routes[0].host']],
    ['path', withRoute({ ...route, path: 'api' }), ['routes[0].path']],
    ['tls', withRoute({ ...route, tls: 'yes' as 'on' }), ['routes[0].tls']],
    ['timeout', withRoute({ ...route, timeoutMs: 0 }), ['routes[0].timeoutMs']],
    ['body', withRoute({ ...route, maxBodyBytes: 1.5 }), ['routes[0].maxBodyBytes']],
    ['pool', withRoute({ ...route, targets: [sampleTarget([], { pool: 'a\nb' })] }), ['routes[0].targets[0].pool']],
    ['target', withRoute({ ...route, targets: [sampleTarget([], { weight: -1 })] }), ['routes[0].targets[0].weight']],
    ['instance', member({ instance: '' }), ['routes[0].targets[0].members[0].instance']],
    ['address', member({ address: 'web.local' }), ['routes[0].targets[0].members[0].address']],
    ['address, injected', member({ address: '127.0.0.1;' }), ['routes[0].targets[0].members[0].address']],
    ['port', member({ port: 0 }), ['routes[0].targets[0].members[0].port']],
    ['weight', member({ weight: 65_536 }), ['routes[0].targets[0].members[0].weight']],
    ['state', member({ state: 'gone' }), ['routes[0].targets[0].members[0].state']],
    ['a member twice', withRoute(sampleRoute([80, 80])), ['routes[0].targets[0].members[1]']],
    [
      'certificate',
      sampleTable(1, [], [{ hosts: [], certificatePem: '', keyPem: '' }]),
      ['certificates[0].hosts', 'certificates[0].certificatePem', 'certificates[0].keyPem'],
    ],
    [
      'two for one name',
      sampleTable(
        1,
        [],
        [1, 2].map(() => ({ hosts: ['a.b'], certificatePem, keyPem })),
      ),
      ['certificates[1].hosts[0]'],
    ],
    ['any name', sampleTable(1, [], [{ hosts: ['*'], certificatePem, keyPem }]), ['certificates[0].hosts[0]']],
  ])('%s', (_, table, paths) => {
    expect(pathsOf(table)).toEqual(paths)
  })

  test('all of them at once, each on one printable line', () => {
    const problems = findRouteTableProblems(withRoute({ ...route, host: 'a b\n;', path: '/x\r\ny', timeoutMs: -1 }))
    expect(problems.map(({ path }) => path)).toEqual(['routes[0].host', 'routes[0].path', 'routes[0].timeoutMs'])
    for (const { message } of problems) expect(message).toMatch(/^[\x20-\x7e]+$/)
  })
})

test.each(['*', 'a', 'a.b', '*.a.b', 'a-b.c', '127.0.0.1', '_x.a', 'xn--mller-kva.de'])('%s is a host', (host) => {
  expect(hostProblem(host)).toBeUndefined()
})

test.each([
  '',
  '.',
  'a.',
  '.a',
  '*a.b',
  '*.*.b',
  'a b',
  'a:80',
  'a/b',
  '[::1]',
  'A.b',
  '-a.b',
  'a_-',
  'ü.de',
  'a"b',
  `${'a.'.repeat(130)}a`,
])('%j is no host', (host) => {
  expect(hostProblem(host)).toBeTypeOf('string')
})

test.each(['/', '/api', '/api/v1', '/a b', '/ü', '/a"b;{}$x', '/...', '/.well-known'])('%j is a path', (path) => {
  expect(pathProblem(path)).toBeUndefined()
})

test.each([
  '',
  'api',
  '/api/',
  '//',
  '/a//b',
  '/a/./b',
  '/..',
  '/a?b',
  '/a#b',
  '/a%20b',
  '/a\nb',
  '/a\0',
  `/${'a'.repeat(1024)}`,
])('%j is no path', (path) => {
  expect(pathProblem(path)).toBeTypeOf('string')
})
