import { describe, expect, it } from 'vitest'
import type { AppSpec, Instance, InstanceStatus, RouteSpec } from '../model/index.ts'
import {
  appSpec,
  entrypointSpec,
  instanceRecord,
  poolRecord,
  statusRecord,
} from '../reconcile/pool-fixtures.testing.ts'
import type { TrafficSplit } from '../rollout/traffic-split.ts'
import { compileRoutes } from './compile-routes.ts'
import { settleRoutes } from './route-changes.ts'
import { scheduleRoute } from './route-schedule.ts'
import { findRouteTableProblems } from './route-table-problems.ts'
import type { PooledInstance, RoutedPool } from './route-targets.ts'

const route: RouteSpec = {
  host: 'shop.test',
  path: '/',
  entrypoint: 'web',
  port: 'http',
  tls: 'off',
  stripPath: false,
  timeoutMs: 60_000,
  maxBodyBytes: 0,
}
const http = { name: 'http', port: 8080, protocol: 'tcp' } as const
const specWith = (routes: readonly RouteSpec[], ports: readonly (typeof http)[] = [http]): AppSpec => ({
  ...appSpec({ web: entrypointSpec({ ports }) }),
  routes,
})

function pooled(ordinal: number, over: Partial<Instance> = {}, status: Partial<InstanceStatus> = {}): PooledInstance {
  const instance = instanceRecord({ entrypoint: 'web', ordinal, node: 'node-a', address: `10.0.0.${ordinal}`, ...over })
  return { instance, status: statusRecord(instance, { phase: 'running', ready: true, ...status }) }
}

const routed = (instances: readonly PooledInstance[], over: Partial<RoutedPool> = {}): RoutedPool => ({
  pool: poolRecord({ release: 'v1' }),
  specs: new Map([['v1', specWith([route])]]),
  routesFrom: 'v1',
  instances,
  ...over,
})

const membersOf = (pool: RoutedPool) =>
  compileRoutes([pool], [], 7).routes[0]?.targets[0]?.members.map((member) => [
    member.instance.split('-').at(-1),
    member.state,
  ])

describe('the members of a route', () => {
  it.each([
    ['ready', pooled(1), [['1', 'active']]],
    ['not ready', pooled(1, {}, { ready: false }), []],
    ['leaving', pooled(1, { desired: 'drain' }), [['1', 'draining']]],
    ['leaving, not ready any more', pooled(1, { desired: 'drain' }, { ready: false }), [['1', 'draining']]],
    ['left and ended', pooled(1, { desired: 'drain' }, { phase: 'ended', ready: false }), []],
    ['ordered to stop', pooled(1, { desired: 'stop' }), []],
    ['a job', pooled(1, { type: 'job' }), []],
    ['of another entrypoint', pooled(1, { entrypoint: 'worker' }), []],
    ['never heard of', { instance: pooled(1).instance }, []],
    ['of a release that is not known', pooled(1, { release: 'v9' }), []],
  ])('%s', (_, instance, expected) => {
    expect(membersOf(routed([instance]))).toEqual(expected)
  })

  it('listen where their own release says, by the name of the port or else at the first', () => {
    const other = { name: 'main', port: 9000, protocol: 'tcp' } as const
    const specs = new Map([
      ['v1', specWith([route])],
      ['v2', { ...specWith([route]), entrypoints: { web: entrypointSpec({ ports: [other] }) } }],
    ])
    const table = compileRoutes([routed([pooled(1), pooled(2, { release: 'v2' })], { specs })], [], 1)
    expect(table.routes[0]?.targets[0]?.members.map((member) => member.port)).toEqual([8080, 9000])
  })
})

it('reaches what is in a bridge of its node by the port of the node that leads to it', () => {
  const published = { ...http, hostPort: 18080 }
  const specs = new Map([
    ['v1', specWith([route], [published])],
    ['v2', specWith([route])],
  ])
  const bridged = (ordinal: number, release: string) =>
    pooled(ordinal, { release, network: 'bridge', address: '192.0.2.1' })
  const pool = routed([bridged(1, 'v1'), bridged(2, 'v2'), pooled(3)], { specs })
  const members = compileRoutes([pool], [], 7).routes[0]?.targets[0]?.members
  expect(members?.map(({ instance, address, port }) => [instance, address, port])).toEqual([
    ['shop.production.web-1', '192.0.2.1', 18080],
    ['shop.production.web-3', '10.0.0.3', 8080],
  ])
})

describe('the routes of a pool', () => {
  it('are those of its environment, and of none when it is being removed', () => {
    const own = { ...route, host: 'test.shop.test' }
    const spec = { ...specWith([route]), environments: { staging: { env: {}, entrypoints: {}, routes: [own] } } }
    const staging = poolRecord({ name: 'staging', environment: 'staging', release: 'v1' })
    const pool = routed([], { pool: staging, specs: new Map([['v1', spec]]) })
    expect(compileRoutes([pool], [], 1).routes.map((each) => each.host)).toEqual(['test.shop.test'])
    expect(compileRoutes([{ ...pool, pool: { ...staging, removing: true } }], [], 1).routes).toEqual([])
  })

  it('may be empty only when nothing is wanted', () => {
    const scaled = (count: number) =>
      routed([], { pool: poolRecord({ release: 'v1', replicas: { web: { count, setBy: 'scale', specCount: 1 } } }) })
    expect(compileRoutes([scaled(0)], [], 1).routes[0]?.allowEmpty).toBe(true)
    expect(compileRoutes([scaled(2)], [], 1).routes[0]?.allowEmpty).toBe(false)
  })

  it('belong to the older pool where two claim the same place, whatever their order', () => {
    const old = routed([pooled(1)], { pool: poolRecord({ release: 'v1', createdAt: 1 }) })
    const young = routed([pooled(2, { pool: 'copy' })], {
      pool: poolRecord({ name: 'copy', release: 'v1', createdAt: 2 }),
    })
    for (const pools of [
      [old, young],
      [young, old],
    ]) {
      const { routes } = compileRoutes(pools, [], 1)
      expect(routes.map((each) => each.targets[0]?.pool)).toEqual(['shop/production/web'])
    }
  })
})

it('makes tables that a gateway accepts, with the very routes of before for pools that nobody has changed', () => {
  const pool = routed([pooled(1), pooled(2, { desired: 'drain' })])
  const table = compileRoutes([pool], [], 3)
  expect(findRouteTableProblems(table)).toEqual([])
  expect(compileRoutes([pool], [], 9).routes[0]).toBe(table.routes[0])
  expect(settleRoutes(table, compileRoutes([{ ...pool }], [], 9))).toBe(table)
  expect(settleRoutes(table, compileRoutes([routed([pooled(1)])], [], 9)).routes[0]).not.toEqual(table.routes[0])
})

describe('while a stage shares requests out', () => {
  const old = [1, 2, 3].map((ordinal) => pooled(ordinal))
  const fresh = (count: number, over: Partial<Instance> = {}) =>
    Array.from({ length: count }, (_, index) => pooled(index + 7, { generation: 2, ...over }))
  const sharesOf = (instances: readonly PooledInstance[], share: number, phase: TrafficSplit['phase']) => {
    const table = compileRoutes(
      [
        routed(instances, {
          split: { generation: 2, share, phase },
          pool: poolRecord({ release: 'v1', replicas: { web: { count: 3, setBy: 'spec', specCount: 3 } } }),
        }),
      ],
      [],
      7,
    )
    expect(findRouteTableProblems(table)).toEqual([])
    return table.routes[0]?.targets.map(({ weight, members }) => [weight, members.length])
  }

  it.each<[string, readonly PooledInstance[], number, TrafficSplit['phase'], unknown]>([
    [
      'the new release gets what it says',
      [...old, ...fresh(1)],
      50,
      'there',
      [
        [1, 1],
        [19, 3],
      ],
    ],
    [
      'or nothing',
      [...old, ...fresh(1)],
      0,
      'there',
      [
        [0, 1],
        [1, 3],
      ],
    ],
    [
      'or all',
      [...old, ...fresh(3)],
      1000,
      'there',
      [
        [1, 3],
        [0, 3],
      ],
    ],
    [
      'no more than its part before all are there',
      [...old, ...fresh(1)],
      800,
      'arriving',
      [
        [1, 1],
        [3, 3],
      ],
    ],
    [
      'at once when they are as many as the old ones',
      [...old, ...fresh(3)],
      1000,
      'arriving',
      [
        [1, 3],
        [0, 3],
      ],
    ],
    [
      'nothing on the way back once the old ones are enough',
      [...old, ...fresh(3)],
      1000,
      'leaving',
      [
        [0, 3],
        [1, 3],
      ],
    ],
    [
      'its part on the way back until then',
      [...old.slice(1), ...fresh(2)],
      1000,
      'leaving',
      [
        [1, 2],
        [1, 2],
      ],
    ],
    ['one release alone gets all', old, 50, 'there', [[1, 3]]],
    ['so does the new one', fresh(2), 50, 'there', [[1, 2]]],
  ])('%s', (_, instances, share, phase, expected) => {
    expect(sharesOf(instances, share, phase)).toEqual(expected)
  })

  it('requests go where the shares say, and a release without a usable member leaves its share to the other', () => {
    const turnsOf = (instances: readonly PooledInstance[]) => {
      const [route] = compileRoutes(
        [routed(instances, { split: { generation: 2, share: 100, phase: 'there' } })],
        [],
        7,
      ).routes
      const turns = scheduleRoute(route!)
      return turns.filter((place) => place === 0).length / turns.length
    }
    expect(turnsOf([...fresh(1), ...old])).toBeCloseTo(0.1, 6)
    expect(turnsOf([...fresh(1), ...old.map(({ instance }) => pooled(instance.ordinal, { desired: 'drain' }))])).toBe(1)
  })
})

describe('what a host shows', () => {
  const token = { host: 'shop.test', token: 'abc', answer: 'abc.thumb' }
  const table = (isOn: boolean, whenEmpty?: 'maintenance') => {
    const spec = specWith([whenEmpty === undefined ? route : { ...route, options: { whenEmpty } }])
    const pool = routed([pooled(1)], { specs: new Map([['v1', spec]]) })
    return compileRoutes([pool], [], 1, [], new Map([['shop.test', { isOn, page: 'soon' }]]), [token])
  }

  it('is its maintenance page, but for what an authority of certificates looks for', () => {
    const { routes } = table(true)
    expect(findRouteTableProblems(table(true))).toEqual([])
    expect(routes.map(({ path, maintenance, answer }) => [path, maintenance?.page, answer])).toEqual([
      ['/', 'soon', undefined],
      ['/.well-known/acme-challenge/abc', undefined, 'abc.thumb'],
    ])
  })

  it('is that page while nobody serves it, where a route says so', () => {
    expect(table(false, 'maintenance').routes[0]).toMatchObject({ allowEmpty: true, emptyPage: 'soon' })
    const [plain] = table(false).routes
    expect([plain?.allowEmpty, plain?.emptyPage, plain?.maintenance]).toEqual([false, undefined, undefined])
  })
})
