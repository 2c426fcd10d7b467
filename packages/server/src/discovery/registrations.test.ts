import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { silent } from '../store/sqlite/open-temporary.testing.ts'
import { CheckKeeper } from './check-keeper.ts'
import { DiscoveryUnderTest } from './discovery.testing.ts'

let discovery: DiscoveryUnderTest
let keeper: CheckKeeper
let token: string
let now = Date.now()

beforeAll(async () => {
  discovery = await DiscoveryUnderTest.start()
  token = await discovery.token('ci', 'deployer')
  const { records } = discovery.cluster
  keeper = new CheckKeeper({ records, heard: discovery.heard, isAlone: true, log: silent, lookMs: 5, now: () => now })
})
afterAll(async () => {
  keeper[Symbol.dispose]()
  await discovery[Symbol.asyncDispose]()
})

const put = async (path: string, body?: unknown) => {
  const headers = { 'X-Consul-Token': token }
  const text = body === undefined ? {} : { body: JSON.stringify(body) }
  const answer = await discovery.ask(`/v1/agent/${path}`, { method: 'PUT', headers, ...text })
  return answer.status === 200 ? answer.text : `${answer.status} ${answer.text}`
}
const get = async (path: string) => (await discovery.ask(`/v1/${path}`)).json
const passing = async (name: string) => (await get(`health/service/${name}?passing`)).length

describe('services that programs register', () => {
  it('are found like others, and gone when they are deregistered', async () => {
    expect(
      await put('service/register', { Name: 'legacy', Address: '10.0.0.9', Port: 80, Tags: ['old'], Meta: { a: 'b' } }),
    ).toBe('')
    expect(await get('catalog/service/legacy')).toMatchObject([
      { ServiceID: 'legacy', ServiceAddress: '10.0.0.9', ServicePort: 80, ServiceTags: ['old'], Node: 'external' },
    ])
    expect(await passing('legacy')).toBe(1)
    expect(await get('agent/services')).toMatchObject({ legacy: { Service: 'legacy', Port: 80 } })
    expect(await get('agent/service/legacy')).toMatchObject({ ID: 'legacy', Meta: { a: 'b' } })
    expect(await get('kv/upstreams/legacy/?keys')).toEqual(['upstreams/legacy/10.0.0.9:80'])
    const taken = { method: 'PUT', body: '{}', headers: { 'X-Consul-Token': token } }
    const refused = await discovery.ask('/v1/kv/upstreams/legacy/10.0.0.9:80', taken)
    expect(refused).toMatchObject({ status: 409, text: expect.stringContaining('they follow it by themselves') })
    const { index } = await discovery.ask('/v1/health/service/legacy')
    const waiting = discovery.ask(`/v1/health/service/legacy?index=${index}`)
    await expect.poll(() => discovery.api.waiting).toBe(1)
    expect(await put('service/maintenance/legacy?enable=true&reason=disk')).toBe('')
    expect((await waiting).json[0].Checks).toMatchObject([{ Status: 'critical', Notes: 'disk' }])
    expect(await put('service/maintenance/legacy?enable=false')).toBe('')
    expect(await passing('legacy')).toBe(1)
    expect(await put('service/deregister/legacy')).toBe('')
    expect(await get('health/service/legacy')).toEqual([])
    const events = discovery.cluster.state.events.all().map(({ type, actor }) => [type, actor])
    expect(events).toContainEqual(['service.registered', 'token:ci'])
    expect(events).toContainEqual(['service.deregistered', 'token:ci'])
  })

  it('are critical when their TTL is not renewed, well when it is again, and go if they said so', async () => {
    const Check = { TTL: '10s', DeregisterCriticalServiceAfter: '90s' }
    await put('service/register', { Name: 'beats', Address: '10.0.0.8', Port: 80, Check })
    expect(await passing('beats')).toBe(0)
    expect(await put('check/pass/service:beats?note=fine')).toBe('')
    expect(await passing('beats')).toBe(1)
    expect(await get('agent/checks')).toMatchObject({ 'service:beats': { Status: 'passing', Output: 'fine' } })
    now = Date.now() + 11_000
    await expect.poll(() => passing('beats')).toBe(0)
    expect((await get('health/checks/beats'))[0]).toMatchObject({ Output: 'TTL expired', Type: 'ttl' })
    now = Date.now()
    expect(await put('check/update/service:beats', { Status: 'warning', Output: 'slow' })).toBe('')
    expect((await get('health/state/warning'))[0]).toMatchObject({ Output: 'slow' })
    expect(await put('check/fail/service:beats')).toBe('')
    now = Date.now() + 100_000
    await expect.poll(() => get('health/service/beats')).toEqual([])
  })

  it('write down what is said again and again once in half its time', async () => {
    now = Date.now()
    await put('service/register', { Name: 'often', Port: 80, Check: { TTL: '60s', Status: 'passing' } })
    await put('check/pass/service:often')
    const { revision } = discovery.cluster.state
    for (let count = 0; count < 20; count += 1) await put('check/pass/service:often')
    const often = discovery.cluster.state.registeredServices.modRevision('often')
    expect(often).toBeLessThanOrEqual(revision)
    expect(discovery.heard.has('service:often')).toBe(true)
  })

  it('have checks that come and go', async () => {
    await put('service/register', { Name: 'more', Port: 80 })
    expect(await put('check/register', { Name: 'disk', ServiceID: 'more', TTL: '60s' })).toBe('')
    expect(await passing('more')).toBe(0)
    expect(await put('check/deregister/disk')).toBe('')
    expect(await passing('more')).toBe(1)
  })

  it('are refused where they make no sense, in words', async () => {
    expect(await put('service/register', { Name: 'a_b', Port: -1 })).toMatch(/^400 Invalid registration: Name.*; Port/s)
    expect(await put('service/deregister/nobody')).toContain('404 Unknown service ID')
    expect(await put('check/pass/nobody')).toContain('404 Unknown check ID')
    expect(await put('check/register', { Name: 'x' })).toContain('ServiceID')
    expect(await put('check/update/service:often', { Status: 'fine' })).toContain('Invalid check status')
    const viewer = { 'X-Consul-Token': await discovery.token('looks', 'viewer') }
    const refused = await discovery.ask('/v1/agent/service/register', {
      method: 'PUT',
      body: '{"Name":"a"}',
      headers: viewer,
    })
    expect(refused).toMatchObject({ status: 403 })
    const broken = await discovery.ask('/v1/agent/service/register', {
      method: 'PUT',
      body: '{',
      headers: { 'X-Consul-Token': token },
    })
    expect(broken.text).toContain('Request decode failed')
  })
})
