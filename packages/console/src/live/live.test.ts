import type { AppView, PoolView, ReleaseView } from '@berth/api/app-resources'
import type { InstanceView } from '@berth/api/instance-resources'
import { BerthError } from '@berth/core/model/berth-error'
import { describe, expect, it } from 'vitest'
import { english } from '../i18n/english.ts'
import { chooseLanguage } from '../i18n/language.tsx'
import { search } from '../shell/search.ts'
import { poolDrift } from './drift.ts'
import { subjectLinks } from './event-subject.ts'
import { loginAddress, needsLogin, safeNext } from './session.tsx'
import { instanceState, poolState } from './states.ts'

const instance = (change: Partial<InstanceView>): InstanceView => ({
  id: 'shop.production.web-1',
  name: 'web-1',
  app: 'shop',
  pool: 'production',
  entrypoint: 'web',
  release: 'v2',
  generation: 1,
  type: 'service',
  phase: 'running',
  desired: 'run',
  ready: true,
  inTraffic: true,
  restarts: 0,
  createdAt: 1,
  createdBy: 'token:ci',
  ...change,
})

const pool = (change: Partial<PoolView> = {}): PoolView => ({
  app: 'shop',
  name: 'production',
  environment: 'production',
  release: 'v2',
  generation: 1,
  urls: [],
  entrypoints: [{ name: 'web', type: 'service', wanted: 2, setBy: 'spec', running: 2, ready: 2 }],
  ...change,
})

describe('states', () => {
  it.each<[Partial<InstanceView>, string, string]>([
    [{}, 'ok', 'ready'],
    [{ phase: 'pending' }, 'warn', 'pending'],
    [{ phase: 'assigned' }, 'busy', 'assigned'],
    [{ ready: false }, 'busy', 'starting'],
    [{ ready: false, restarts: 2 }, 'warn', 'notReady'],
    [{ desired: 'drain' }, 'busy', 'draining'],
    [{ phase: 'stopping' }, 'busy', 'stopping'],
    [{ phase: 'ended' }, 'off', 'ended'],
    [{ phase: 'ended', lastExit: { code: 1, outOfMemory: false, at: 1 } }, 'bad', 'failed'],
    [{ phase: 'ended', desired: 'stop', lastExit: { code: 143, outOfMemory: false, at: 1 } }, 'off', 'ended'],
    [{ type: 'job', ready: false }, 'busy', 'running'],
  ])('of an instance %j: %s %s', (change, tone, label) =>
    expect(instanceState(instance(change))).toEqual({ tone, label }),
  )

  it.each<[Partial<PoolView>, string]>([
    [{}, 'healthy'],
    [{ rollout: 'r-1' }, 'rollout'],
    [{ entrypoints: [{ name: 'web', type: 'service', wanted: 2, setBy: 'spec', running: 2, ready: 1 }] }, 'degraded'],
    [{ entrypoints: [{ name: 'web', type: 'service', wanted: 2, setBy: 'spec', running: 2, ready: 0 }] }, 'down'],
    [{ entrypoints: [{ name: 'web', type: 'service', wanted: 0, setBy: 'scale', running: 0, ready: 0 }] }, 'idle'],
  ])('of a pool %j: %s', (change, label) => expect(poolState(pool(change)).label).toBe(label))
})

describe('what differs', () => {
  const app: AppView = { name: 'shop', vcs: 'git', createdAt: 1, createdBy: 'x', latestRelease: 'v3', pools: [] }
  const release: ReleaseView = {
    app: 'shop',
    id: 'v2',
    image: 'i',
    createdAt: 1,
    createdBy: 'x',
    runningIn: [],
    served: [],
    spec: {
      entrypoints: { web: { replicas: 4 } },
      environments: { production: { entrypoints: { web: { replicas: 3 } } } },
    },
  }
  const scaled = pool({
    entrypoints: [{ name: 'web', type: 'service', wanted: 5, setBy: 'scale', running: 5, ready: 5 }],
  })

  it('is said in sentences, with the count of the environment', () => {
    const instances = [instance({}), instance({ id: 'b', release: 'v1' })]
    expect(poolDrift(english.drift, app, scaled, release, instances)).toEqual([
      'v2 runs, the latest release is v3.',
      'web is scaled to 5 by hand; berth.yaml says 3.',
      'Instances of several releases run at once: v1, v2.',
    ])
  })

  it('is expected during a rollout', () => {
    expect(poolDrift(english.drift, app, { ...scaled, rollout: 'r-1' }, release, [])).toEqual([])
  })
})

describe('the way in', () => {
  it.each([
    [null, '/'],
    ['/apps/shop?filter=x', '/apps/shop?filter=x'],
    ['//evil.example/', '/'],
    ['https://evil.example/', '/'],
    ['/\\evil.example', '/'],
    ['/login?next=/', '/'],
  ])('leads from %s to %s', (next, expected) => expect(safeNext(next)).toBe(expected))

  it.each([
    [{ pathname: '/', search: '', hash: '' }, '/login'],
    [{ pathname: '/', search: '', hash: '#token=secret' }, '/login#token=secret'],
    [{ pathname: '/apps', search: '?filter=x', hash: '#top' }, '/login?next=%2Fapps%3Ffilter%3Dx'],
    [{ pathname: '/apps', search: '', hash: '#token=secret' }, '/login?next=%2Fapps#token=secret'],
  ])('from %j is %s', (here, expected) => expect(loginAddress(here)).toBe(expected))

  it.each([
    ['auth.missing', true],
    ['auth.session-expired', true],
    ['auth.forbidden', false],
    ['auth.foreign-origin', false],
    ['store.compacted', false],
  ])('%s needs a login: %s', (code, needed) => expect(needsLogin(new BerthError(code, 'x'))).toBe(needed))

  it.each([
    [undefined, ['zh-Hans-CN', 'en'], 'zh'],
    [undefined, ['de', 'en-GB'], 'en'],
    [undefined, ['fr'], 'en'],
    ['zh', ['en'], 'zh'],
    ['nonsense', ['zh'], 'zh'],
  ])('stored %s, preferred %j: %s', (stored, preferred, language) =>
    expect(chooseLanguage(stored, preferred)).toBe(language),
  )
})

it('finds by words, the closest first', () => {
  const found = (label: string) => ({ kind: 'instance' as const, label, to: `/${label}` })
  const targets = ['shop/production/web-10', 'shop/production/web-1', 'web', 'ledger/web-1'].map(found)
  expect(search(targets, 'web').map((each) => each.label)[0]).toBe('web')
  expect(search(targets, 'prod web-1').map((each) => each.label)).toEqual([
    'shop/production/web-1',
    'shop/production/web-10',
  ])
  expect(search(targets, 'nothing')).toEqual([])
})

it('links events to what they speak of', () => {
  const links = subjectLinks({ app: 'shop', pool: 'production', instance: 'shop.production.web-4', node: 'a' })
  expect(links.map((each) => each.to)).toEqual([
    '/instances/shop.production.web-4',
    '/apps/shop/production',
    '/nodes/a',
  ])
})
