import type { AppView } from '@berth/api/app-resources'
import type { InstanceView } from '@berth/api/instance-resources'
import type { RouteView } from '@berth/api/traffic-resources'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Traffic } from '../metrics/use-traffic.ts'
import { type Band, bandsOf, chosenBands, flowWidth, type TopologyFacts } from './topology-model.ts'

const route = (host: string, members: readonly string[], rest: Partial<RouteView> = {}): RouteView => ({
  ...{ url: `https://${host}/`, host, path: '/', app: 'shop', pool: 'live', entrypoint: 'web', tls: 'on' },
  members: members.map((name) => ({ instance: `shop.live.${name}`, address: '10.0.0.1', port: 80, state: 'active' })),
  ...rest,
})
const instance = (name: string, rest: Partial<InstanceView> = {}): InstanceView => ({
  ...{ id: `shop.live.${name}`, name, app: 'shop', pool: 'live', entrypoint: 'web', release: 'v1', generation: 1 },
  ...{ type: 'service', node: 'a', phase: 'running', desired: 'run', ready: true, readyAt: 1, inTraffic: true },
  ...{ restarts: 0, createdAt: 0, createdBy: 'x' },
  ...rest,
})
const app = (ready: number, wanted: number): AppView => ({
  ...{ name: 'shop', vcs: 'git', createdAt: 0, createdBy: 'x' },
  pools: [
    {
      ...{ app: 'shop', name: 'live', environment: 'live', release: 'v1', generation: 1, urls: [] },
      entrypoints: [{ name: 'web', type: 'service', wanted, setBy: 'spec', running: wanted, ready }],
    },
  ],
})
const rate = (perSecond: number, failed = 0, p95Ms?: number) => ({
  ...{ app: 'shop', pool: 'live', entrypoint: 'web', perSecond, errors4xxPerSecond: 0 },
  ...{ errors5xxPerSecond: failed, lostPerSecond: 0, ...(p95Ms === undefined ? {} : { p95Ms }) },
})
const traffic = (
  routes: Readonly<Record<string, ReturnType<typeof rate>>>,
  instances: Readonly<Record<string, number>> = {},
): Traffic => ({
  routes: new Map(Object.entries(routes).map(([host, each]) => [`https://${host}/`, { url: host, ...each }])),
  instances: new Map(
    Object.entries(instances).map(([name, n]) => [
      `shop.live.${name}`,
      { ...rate(n), instance: name, release: 'v1', generation: 1 },
    ]),
  ),
})
const facts = (rest: Partial<TopologyFacts>): TopologyFacts => ({
  ...{ routes: [], apps: [app(2, 2)], instances: [], sites: new Map(), traffic: traffic({}) },
  ...rest,
})

describe('the bands of a topology', () => {
  it('hold the routes of one target together, with what it gets of all of them', () => {
    const [band, ...others] = bandsOf(
      facts({
        routes: [route('b.example', ['web-2', 'web-10']), route('a.example', ['web-2', 'web-10'])],
        instances: [instance('web-10'), instance('web-2', { node: 'b' })],
        sites: new Map([['b', 'paris']]),
        traffic: traffic({ 'a.example': rate(10, 0, 5), 'b.example': rate(20, 0, 9) }, { 'web-2': 12, 'web-10': 18 }),
      }),
    )
    expect(others).toEqual([])
    expect(band).toMatchObject({ key: 'shop/live/web', perSecond: 30, p95Ms: 9, tone: 'ok', sites: ['paris'] })
    expect(band?.routes.map(({ name }) => name)).toEqual(['a.example', 'b.example'])
    expect(band?.instances.map(({ name, perSecond }) => [name, perSecond])).toEqual([
      ['web-2', 12],
      ['web-10', 18],
    ])
    expect(band?.generations).toEqual([{ release: 'v1', generation: 1, instances: 2, share: 1 }])
  })

  it('tell which part of the requests each generation gets', () => {
    const [band] = bandsOf(
      facts({
        routes: [route('a.example', ['web-1', 'web-2'])],
        instances: [instance('web-1'), instance('web-2', { generation: 2, release: 'v2' })],
        traffic: traffic({}, { 'web-1': 90, 'web-2': 10 }),
      }),
    )
    expect(band?.generations.map(({ release, share }) => [release, share])).toEqual([
      ['v1', 0.9],
      ['v2', 0.1],
    ])
  })

  it('call a port of the gateways by its address', () => {
    const [band] = bandsOf(facts({ routes: [route('', ['web-1'], { url: 'tcp://g.example:5432', path: '' })] }))
    expect(band?.routes).toMatchObject([{ name: 'tcp://g.example:5432', isPort: true }])
  })

  it('know members of gateways whose instances are not listed', () => {
    const [band] = bandsOf(facts({ routes: [route('a.example', ['web-1'])] }))
    expect(band?.instances).toMatchObject([{ id: 'shop.live.web-1', shown: { tone: 'ok', label: 'ready' } }])
    expect(band?.generations).toMatchObject([{ release: 'v1', instances: 0 }])
  })

  it.each<[string, Partial<TopologyFacts>, Band['tone']]>([
    ['nobody is behind it', { routes: [route('a', [])] }, 'bad'],
    ['requests fail', { routes: [route('a', ['web-1'])], traffic: traffic({ a: rate(5, 1) }) }, 'bad'],
    ['too few are ready', { routes: [route('a', ['web-1'])], apps: [app(1, 2)] }, 'warn'],
    ['it shows the maintenance page', { routes: [route('a', ['web-1'], { maintenance: true })] }, 'warn'],
    ['all is well', { routes: [route('a', ['web-1'])] }, 'ok'],
  ])('are marked where %s', (_, rest, tone) => {
    expect(bandsOf(facts(rest))[0]?.tone).toBe(tone)
  })
})

describe('what is chosen of them', () => {
  const wanted = { text: '', app: '', problems: false, busiest: false }
  const bands = bandsOf(
    facts({
      routes: [
        route('a.example', ['web-1']),
        route('db.example', [], { external: 'mysql', app: '', pool: '', entrypoint: '' }),
        route('m.example', ['x-1'], { app: 'mail', entrypoint: 'x' }),
      ],
      traffic: traffic({ 'a.example': rate(1), 'm.example': rate(500) }),
    }),
  )
  const keys = (rest: Partial<typeof wanted>) => chosenBands(bands, { ...wanted, ...rest }).map(({ key }) => key)

  it.each<[Partial<typeof wanted>, readonly string[]]>([
    [{}, ['external mysql', 'mail/live/x', 'shop/live/web']],
    [{ text: 'A.EXAMPLE' }, ['shop/live/web']],
    [{ text: 'live.x-1' }, ['mail/live/x']],
    [{ app: 'mail' }, ['mail/live/x']],
    [{ problems: true }, ['external mysql']],
    [{ busiest: true }, ['mail/live/x', 'shop/live/web', 'external mysql']],
  ])('%j', (rest, expected) => expect(keys(rest)).toEqual(expected))

  it('ten thousand instances behind a thousand routes are drawn up within a moment', () => {
    const routes = Array.from({ length: 1_000 }, (_, n) =>
      route(
        `h${n}.example`,
        Array.from({ length: 10 }, (_, i) => `e${n}-${i}`),
        { entrypoint: `e${n}` },
      ),
    )
    const from = performance.now()
    const many = bandsOf(facts({ routes }))
    expect(chosenBands(many, { ...wanted, text: 'e999-9' })).toHaveLength(1)
    expect(many.reduce((sum, { instances }) => sum + instances.length, 0)).toBe(10_000)
    expect(performance.now() - from).toBeLessThan(1_000)
  })
})

it('lines are wider for more, and never too wide to be drawn', () => {
  const flow = (perSecond: number) => flowWidth({ perSecond, failedPerSecond: 0, lostPerSecond: 0 })
  const some = fc.double({ min: 0, max: 1e9, noNaN: true })
  fc.assert(
    fc.property(some, some, (a, b) => {
      expect(flow(a)).toBeGreaterThanOrEqual(1)
      expect(flow(a)).toBeLessThanOrEqual(12)
      if (a < b) expect(flow(a)).toBeLessThanOrEqual(flow(b))
    }),
  )
})
