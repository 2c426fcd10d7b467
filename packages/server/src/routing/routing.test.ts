import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BerthError, type Node, type NodeStatus } from '@berth/core'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { AddressPools } from '../addresses/address-pools.ts'
import { openTemporaryRecords, type RecordsUnderTest } from '../records/open-records.testing.ts'
import { openSecretKey, type SecretKey } from '../secrets/secret-key.ts'
import { ServerUnderTest } from '../server-under-test.testing.ts'
import { NodeRoutes } from './node-routes.ts'
import { Routing } from './routing.ts'

const admin = { actor: 'token:ann' }
const password = 'session-password-of-the-test'
const core = { name: 'core', address: '10.0.0.254', as: 65_000 }

describe('how routes are learned', () => {
  let directory: string
  let under: RecordsUnderTest
  let key: SecretKey
  let routing: Routing
  const logged: string[] = []
  const log = pino({}, { write: (line) => void logged.push(line) })

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'berth-routing-'))
    under = await openTemporaryRecords()
    key = await openSecretKey(join(directory, 'secret.key'), { sealedValuesExist: false })
    routing = new Routing({ records: under.records, key, log })
  })
  afterEach(async () => {
    await under[Symbol.asyncDispose]()
    await rm(directory, { recursive: true })
  })

  const addNode = (name: string, address: string, labels: Record<string, string> = {}) =>
    under.records.commit('system:test', (tx) => {
      const node = { name, address, labels, block: '10.77.1.0/24', schedulable: true, joinedAt: 1 } as unknown as Node
      tx.put('nodes', node)
    })

  it('is static until something else is set', async () => {
    await addNode('a', '10.0.0.1')
    expect(routing.plan.of('a')).toEqual({ mode: 'static' })
    expect(under.state.routings.size).toBe(0)
  })

  it('says where short names are looked for, and keeps it when something else changes', async () => {
    await routing.change({ searchDomains: ['corp.example', 'lab'] }, admin)
    await routing.change({ meshUpTo: 40 }, admin)
    expect(routing.settings.searchDomains).toEqual(['corp.example', 'lab'])
    await expect(routing.change({ searchDomains: ['a b', 'lab', 'lab'] }, admin)).rejects.toMatchObject({
      code: 'search-domains.invalid',
      message: expect.stringMatching(/"a b" is no host name.*the domain lab is given twice/),
    })
    await routing.change({ consulDomain: 'consul' }, admin)
    expect(routing.settings).toMatchObject({ consulDomain: 'consul', searchDomains: ['corp.example', 'lab'] })
    for (const wrong of ['a b', 'berth', 'x.berth'])
      await expect(routing.change({ consulDomain: wrong }, admin)).rejects.toMatchObject({
        code: 'consul.invalid-domain',
      })
    await routing.change({ consulDomain: '' }, admin)
    expect(routing.settings).not.toHaveProperty('consulDomain')
    await routing.change({ searchDomains: [] }, admin)
    expect(routing.settings.searchDomains).toEqual([])
    const said = under.state.events.all().map(({ message }) => message)
    expect(said.slice(-5)).toEqual([
      'short names are looked for in corp.example, lab',
      'settings of BGP were changed',
      'Consul’s names are answered below consul',
      'Consul’s names are answered nowhere',
      'short names are looked for in no other domain',
    ])
  })

  it('is static or by BGP beside a pool with IPv6, and such a pool is not made beside a provider’s table', async () => {
    const agents = { isOnline: () => false, request: async <T>() => ({}) as T }
    const pools = new AddressPools({ records: under.records, range: '10.77.0.0/16', agents })
    await routing.setTable({ name: 'rome', url: 'https://routes.example/rome', token: 'geheim' }, admin)
    await routing.change({ mode: 'cloud' }, admin)
    const refusal = { code: 'address-pool.ipv6-routes', message: expect.stringContaining('(routes cloud)') as string }
    await expect(pools.update('default', { ipv6: 'fd77::/64' }, admin)).rejects.toMatchObject(refusal)
    await routing.change({ mode: 'bgp' }, admin)
    await pools.update('default', { ipv6: 'fd77::/64' }, admin)
    await expect(routing.change({ mode: 'cloud' }, admin)).rejects.toMatchObject(refusal)
    await routing.change({ mode: 'static' }, admin)
  })

  it('asks all that speak BGP for their sessions, and names those that do not answer', async () => {
    const status = async (name: string, routes?: NodeStatus['routes']) => {
      await addNode(name, '10.0.0.1')
      const put = { name, online: true, problems: [], ...(routes === undefined ? {} : { routes }) }
      await under.records.commit('system:test', (tx) => tx.put('nodeStatuses', put as unknown as NodeStatus))
    }
    const speaks = { mode: 'bgp', sessions: 2, up: 1 } as const
    await status('b', speaks)
    await status('away', speaks)
    await status('a', speaks)
    await status('static')
    await status('alone', { mode: 'bgp', sessions: 0, up: 0 })
    const session = {
      with: 'node',
      name: 'c',
      address: '10.0.0.3',
      as: 64_512,
      up: true,
      since: 5,
      learned: 1,
    } as const
    const request = async <T>(name: string): Promise<T> => {
      if (name === 'away') throw new BerthError('node.offline', 'away is not connected')
      return { mode: 'bgp', running: name === 'a', sessions: [session], routes: [{ block: 'x' }] } as T
    }
    const { signal } = new AbortController()
    expect(await new NodeRoutes(under.state, { request }).sessions({ signal })).toEqual({
      nodes: [
        { node: 'a', mode: 'bgp', running: true, sessions: [session] },
        { node: 'b', mode: 'bgp', running: false, sessions: [session] },
      ],
      silent: [{ node: 'away', message: 'away is not connected' }],
    })
  })

  it('changes for every node with the settings, and with nodes', async () => {
    await addNode('a', '10.0.0.1', { site: 'paris' })
    await routing.change({ mode: 'bgp', sites: { paris: 64_601 } }, admin)
    expect(routing.plan.of('a')).toMatchObject({ mode: 'bgp', as: 64_601, sessions: [] })
    await addNode('b', '10.0.0.2')
    expect(routing.plan.of('a')).toMatchObject({ sessions: [{ name: 'b', as: 64_512 }] })
    await routing.change({ sites: { paris: null }, as: 64_700 }, admin)
    expect(routing.plan.of('a')).toMatchObject({ as: 64_700 })
    await routing.change({ mode: 'static' }, admin)
    expect(routing.plan.of('a')).toEqual({ mode: 'static' })
    expect(under.state.events.all().map(({ type, message }) => [type, message])).toContainEqual([
      ...['routing.set', 'routes are learned by BGP from now on'],
    ])
  })

  it("has a router's password sealed, which only who speaks with it is told", async () => {
    await addNode('a', '10.0.0.1', { rack: 'r7' })
    await addNode('b', '10.0.0.2')
    await routing.change({ mode: 'bgp' }, admin)
    await routing.setPeer({ ...core, password, label: { name: 'rack', value: 'r7' } }, admin)
    expect(JSON.stringify([...under.state.routings.values(), ...under.state.events.values()])).not.toContain(password)
    expect(JSON.stringify(routing.plan.of('a'))).toContain(password)
    expect(JSON.stringify(routing.plan.of('b'))).not.toContain(password)
  })

  it('keeps a password that is not named, also at another address, and takes it away by an empty one', async () => {
    await addNode('a', '10.0.0.1')
    await routing.change({ mode: 'bgp' }, admin)
    await routing.setPeer({ ...core, password }, admin)
    await routing.setPeer({ ...core, address: '10.0.0.253', as: 65_001 }, admin)
    expect(routing.plan.of('a')).toMatchObject({ sessions: [{ address: '10.0.0.253', as: 65_001, password }] })
    await routing.setPeer({ ...core, password: '' }, admin)
    expect(JSON.stringify(routing.plan.of('a'))).not.toContain('password')
    await routing.removePeer('core', admin)
    expect(routing.plan.of('a')).toMatchObject({ sessions: [] })
    await expect(routing.removePeer('core', admin)).rejects.toMatchObject({ code: 'routing.peer-not-found' })
  })

  it('does not open a password under another address, and then leaves the router out', async () => {
    await addNode('a', '10.0.0.1')
    await routing.change({ mode: 'bgp' }, admin)
    await routing.setPeer({ ...core, password }, admin)
    await under.records.commit('system:test', (tx) => {
      const record = routing.settings
      tx.put('routings', { ...record, peers: record.peers.map((peer) => ({ ...peer, address: '6.6.6.6' })) })
    })
    expect(routing.plan.of('a')).toMatchObject({ sessions: [] })
    expect(logged.join('')).toContain('open the sealed value of routing core 6.6.6.6')
    expect(logged.join('')).not.toContain(password)
  })

  it('is looked at when the server starts: with another key it says so', async () => {
    await routing.setPeer({ ...core, password }, admin)
    routing.verifyKey()
    const other = await openSecretKey(join(directory, 'other.key'), { sealedValuesExist: false })
    const wrong = new Routing({ records: under.records, key: other, log })
    expect(() => wrong.verifyKey()).toThrow(expect.objectContaining({ code: 'secrets.cannot-open' }))
  })

  it('is by entries of tables: each node is told what is in force in its own', async () => {
    await addNode('a', '10.0.0.1', { site: 'paris' })
    await addNode('b', '10.0.0.2')
    await expect(routing.change({ mode: 'cloud' }, admin)).rejects.toMatchObject({ code: 'cloud-routes.no-table' })
    const table = { name: 'vpc', url: 'https://routes.example/vpc', site: 'paris', token: password }
    await routing.setTable(table, admin)
    expect(routing.tables).toEqual([])
    await routing.change({ mode: 'cloud' }, admin)
    const [kept] = routing.tables
    expect(JSON.stringify(kept)).not.toContain(password)
    expect(kept === undefined ? '' : routing.tokenOf(kept)).toBe(password)
    const entry = { node: 'c', destination: '10.77.9.0/24', nextHop: '10.0.0.9' }
    await under.records.commit('system:test', (tx) =>
      tx.put('cloudTables', { name: 'vpc', inForce: [entry], pending: [], failed: [] }),
    )
    expect(routing.plan.of('a')).toEqual({ mode: 'cloud', inForce: ['10.77.9.0/24'] })
    expect(routing.plan.of('b')).toEqual({ mode: 'cloud', inForce: [] })
    await expect(routing.removeTable('vpc', admin)).rejects.toMatchObject({ code: 'cloud-routes.no-table' })
    await routing.change({ mode: 'static' }, admin)
    await routing.removeTable('vpc', admin)
    expect(under.state.cloudTables.size).toBe(0)
  })

  it("forgets a table's token with its address, and takes it only where it is safe", async () => {
    const table = { name: 'vpc', url: 'https://routes.example/vpc', token: password }
    await routing.setTable(table, admin)
    await routing.setTable({ name: 'vpc', url: table.url }, admin)
    expect(routing.settings.tables).toMatchObject([{ sealed: expect.any(String) }])
    await routing.setTable({ name: 'vpc', url: 'https://elsewhere.example' }, admin)
    expect(routing.settings.tables).toEqual([{ name: 'vpc', url: 'https://elsewhere.example' }])
    const invalid = { code: 'cloud-routes.invalid-table' }
    await expect(routing.setTable({ ...table, name: 'Vpc 1' }, admin)).rejects.toMatchObject(invalid)
    for (const url of ['vpc', 'ftp://x/', 'https://a:b@x/', 'https://x/?q', 'http://routes.example/vpc'])
      await expect(routing.setTable({ ...table, url }, admin)).rejects.toMatchObject(invalid)
    await expect(routing.setTable({ ...table, name: 'second' }, admin)).rejects.toMatchObject(invalid)
  })

  it('refuses what cannot be, and changes nothing then', async () => {
    await expect(routing.change({ as: 0 }, admin)).rejects.toMatchObject({ code: 'routing.invalid-as' })
    await expect(routing.change({ meshUpTo: 1 }, admin)).rejects.toMatchObject({ code: 'routing.invalid-setting' })
    await expect(routing.setPeer({ ...core, address: 'x' }, admin)).rejects.toMatchObject({
      code: 'routing.invalid-peer',
    })
    for (let index = 0; index < 64; index += 1) await routing.setPeer({ ...core, name: `p${index}` }, admin)
    await expect(routing.setPeer(core, admin)).rejects.toThrow('there are 64 peers already')
    await routing.setPeer({ ...core, name: 'p5', as: 65_005 }, admin)
    expect(routing.settings.as).toBe(64_512)
  })
})

describe('the API of routes', () => {
  let server: ServerUnderTest
  beforeAll(async () => {
    server = await ServerUnderTest.start()
  })
  afterAll(async () => await server[Symbol.asyncDispose]())

  it('shows everything but passwords', async () => {
    const token = await server.token('boss', 'admin')
    const call = async (method: string, path: string, body?: object) =>
      await server.ask({
        ...{ method, path, token, headers: { 'content-type': 'application/json' } },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
    const peer = { address: core.address, as: core.as, password, label: { name: 'rack', value: 'r7' } }
    const set = await call('PUT', '/v1/routing/peers/core', peer)
    expect(JSON.parse(set.text)).toMatchObject({
      mode: 'static',
      as: 64_512,
      peers: [{ name: 'core', hasPassword: true }],
    })
    expect(
      JSON.parse((await call('PATCH', '/v1/routing', { mode: 'bgp', sites: { paris: 64_601 } })).text),
    ).toMatchObject({
      ...{ mode: 'bgp', sites: { paris: 64_601 }, mesh: true, reflectorsOf: {}, without: [] },
    })
    const shown = await call('GET', '/v1/routing')
    expect([set.text, shown.text].join('')).not.toContain(password)
    expect(JSON.parse((await call('DELETE', '/v1/routing/peers/core')).text)).toMatchObject({ peers: [] })
    expect((await call('DELETE', '/v1/routing/peers/core')).status).toBe(404)
    expect((await call('PATCH', '/v1/routing', { as: 0 })).status).toBe(400)
    expect((await call('PATCH', '/v1/routing', { mode: 'cloud' })).text).toContain('cloud-routes.no-table')
    expect((await call('PATCH', '/v1/routing', { mode: 'ospf' })).status).toBe(400)
    const table = { url: 'https://127.0.0.1:1/vpc', site: 'paris', token: password }
    const kept = await call('PUT', '/v1/routing/tables/vpc', table)
    expect(kept.text).not.toContain(password)
    expect(JSON.parse(kept.text).tables).toMatchObject([{ name: 'vpc', site: 'paris', hasToken: true, inForce: [] }])
    expect(JSON.parse((await call('DELETE', '/v1/routing/tables/vpc')).text)).toMatchObject({ tables: [] })
    expect((await call('DELETE', '/v1/routing/tables/vpc')).status).toBe(404)
    expect((await call('GET', '/v1/nodes/none/routes')).status).toBe(404)
    expect(JSON.parse((await call('GET', '/v1/routing/sessions')).text)).toEqual({ nodes: [], silent: [] })
  })
})
