import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { InstanceView } from '../packages/api/src/index.ts'
import type { LabHost } from '../packages/lab/src/index.ts'
import { webSource } from './support/apps.ts'
import { Cluster } from './support/cluster.ts'
import { startLoad, until } from './support/load.ts'

/** Names as programs use them: on two machines of two sites, beside a third one that is none of Berth's. */
let cluster: Cluster
const root = join(import.meta.dirname, '..')

const instances = async (): Promise<readonly InstanceView[]> =>
  (await cluster.client.list('listInstances', { query: { app: 'shop' } })).items.filter((each) => each.ready)
const one = async (wanted: Partial<InstanceView>): Promise<InstanceView> => {
  const isIt = (each: InstanceView) => Object.entries(wanted).every(([key, value]) => Object(each)[key] === value)
  const found = (await instances()).find(isIt)
  if (found === undefined) throw new Error(`nothing is ready that is ${JSON.stringify(wanted)}`)
  return found
}
const get = async (from: InstanceView, url: string): Promise<string> =>
  (await cluster.berth(['exec', from.id, 'timeout', '5', 'wget', '-q', '-O', '-', url])).stdout
/** As every program with getaddrinfo looks it up, `times` times: the first address of each answer. */
const lookUp = async (from: InstanceView, name: string, times = 1): Promise<string[]> => {
  const script = `
    const look = () => require('node:dns').promises.lookup('${name}', { family: 4 }).then((a) => a.address, () => 'nobody')
    ;(async () => { for (let i = 0; i < ${times}; i++) console.log(await look()) })()`
  return (await cluster.mustBerth(['exec', from.id, 'node', '-e', script])).stdout.trim().split('\n')
}

const yaml = `app: shop
build:
  base: berth/node:local
searchDomains: [lab.example]
entrypoints:
  web:
    command: node server.js
    cpu: 0.1
    memory: 64Mi
    replicas: 2
    ports: [8080]
    searchDomains: []
  db:
    command: node server.js
    cpu: 0.1
    memory: 64Mi
    ports: [8080]
  plain:
    command: node server.js
    cpu: 0.1
    memory: 64Mi
    ports: [8080]
routes:
  - {host: shop.test, entrypoint: web, sites: {writes: us}}
environments:
  staging: {routes: []}
`

beforeAll(async () => {
  const consul = ['--consul-listen', '127.0.0.1:8500', '--consul-anonymous', 'read']
  cluster = await Cluster.start({ hosts: 2, beforeUp: async () => consul })
  await cluster.join(cluster.lab.host('h2'))
  await cluster.lab.addHost({ name: 'h3', startDockerd: false })
  for (const [node, site] of [
    ['h1', 'eu'],
    ['h2', 'us'],
  ] as const)
    await cluster.mustBerth(['node', 'label', node, `site=${site}`])
  const repository = await cluster.repository('shop', { 'server.js': webSource('1'), 'berth.yaml': yaml })
  for (const environment of ['production', 'staging'])
    await cluster.mustBerth(['deploy', 'shop', '-e', environment, '--repository', repository.path])
})
afterAll(() => cluster[Symbol.asyncDispose]())

describe('a short name', () => {
  it('is of the own app, in the own pool', async () => {
    for (const pool of ['production', 'staging']) {
      const [web, db] = [await one({ pool, entrypoint: 'web' }), await one({ pool, entrypoint: 'db' })]
      expect(JSON.parse(await get(web, 'http://db:8080/'))).toMatchObject({ instance: db.id })
      expect(await lookUp(web, 'db')).toEqual([db.address])
      expect(await lookUp(web, db.name)).toEqual([db.address])
      expect(await lookUp(web, 'nobody')).toEqual(['nobody'])
    }
  })

  it('is looked for in domains of one’s own behind it: the entrypoint’s, the app’s or the cluster’s', async () => {
    const [web, db] = [await one({ entrypoint: 'web' }), await one({ entrypoint: 'db' })]
    await cluster.mustBerth(['domain', 'add', 'ldap.corp.example', '--address', '192.0.2.20'])
    await cluster.mustBerth(['domain', 'add', 'ldap.lab.example', '--address', '192.0.2.30'])
    await cluster.mustBerth(['domain', 'add', 'db.lab.example', '--address', '192.0.2.31'])
    await until('the app’s', async () => (await lookUp(db, 'ldap'))[0] === '192.0.2.30')
    expect(await lookUp(web, 'ldap')).toEqual(['nobody'])
    expect(await lookUp(db, 'db')).toEqual([db.address])

    const tool = await cluster.repository('tool', {
      'server.js': webSource('1'),
      'berth.yaml': `app: tool\nbuild: {base: berth/node:local}\nentrypoints:\n  tool:\n    command: node server.js\n    cpu: 0.1\n    memory: 64Mi\n    ports: [8080]\n`,
    })
    await cluster.mustBerth(['deploy', 'tool', '--repository', tool.path])
    const [running] = (await cluster.client.list('listInstances', { query: { app: 'tool' } })).items
    if (running === undefined) throw new Error('the tool runs')
    expect(await lookUp(running, 'ldap')).toEqual(['nobody'])
    const { stdout } = await cluster.mustBerth([
      'net',
      'set',
      '--search-domains',
      'corp.example',
      'production.shop.berth',
    ])
    expect(stdout).toMatch(/^short names +of the app, then in corp.example, production.shop.berth$/m)
    await until('the cluster’s, while it runs', async () => (await lookUp(running, 'ldap'))[0] === '192.0.2.20')
    expect(await lookUp(running, 'db')).toEqual([(await one({ pool: 'production', entrypoint: 'db' })).address])
    expect(await lookUp(db, 'ldap')).toEqual(['192.0.2.30'])
    const refused = await cluster.berth(['net', 'set', '--search-domains', 'Corp.example', 'a b'])
    expect(refused.stderr).toMatch(/"Corp.example" must be in lower case; "a b" is no host name/)
    await cluster.mustBerth(['net', 'set', '--search-domains', 'none'])
    await until('it to be forgotten', async () => (await lookUp(running, 'ldap'))[0] === 'nobody')
    await cluster.mustBerth(['rm', 'tool', '-y'])
  })
})

describe('a name', () => {
  it('is answered with instances of the own site first, and with the others when there is none', async () => {
    const eu = await one({ pool: 'production', entrypoint: 'web', node: 'h1' })
    const us = await one({ pool: 'production', entrypoint: 'web', node: 'h2' })
    expect(new Set(await lookUp(eu, 'web.shop.berth', 12))).toEqual(new Set([eu.address]))
    expect(new Set(await lookUp(us, 'web', 12))).toEqual(new Set([us.address]))
    await cluster.mustBerth(['scale', 'shop/web', '1'])
    const left = await until('one to be left', async () => {
      const [first, ...others] = (await instances()).filter(
        (each) => each.pool === 'production' && each.entrypoint === 'web',
      )
      return others.length === 0 && first
    })
    const asker = (await instances()).find(({ node }) => node !== left.node)
    if (asker === undefined) throw new Error('instances are on both nodes')
    const name = 'web.production.shop.berth'
    await until('the one of elsewhere', async () => (await lookUp(asker, name))[0] === left.address)
    expect(new Set(await lookUp(asker, name, 12))).toEqual(new Set([left.address]))
    await cluster.mustBerth(['scale', 'shop/web', '2'])
    await until('its own again', async () => {
      const near = (await instances()).find(
        ({ node, pool, entrypoint }) => node === asker.node && pool === 'production' && entrypoint === 'web',
      )
      return near !== undefined && (await lookUp(asker, name))[0] === near.address
    })
  })

  it('of a route leads to the gateway’s own site, and elsewhere what may change something or nobody near can take', async () => {
    const web = (node: string) => one({ pool: 'production', entrypoint: 'web', node })
    const [eu, us] = [await web('h1'), await web('h2')]
    const ask = async (method: string): Promise<string> => {
      const answer = await cluster.first.exec([
        'curl',
        '-sf',
        '-X',
        method,
        '-H',
        'Host: shop.test',
        'http://127.0.0.1/',
      ])
      return answer.stdout === '' ? `exit ${answer.code}` : JSON.parse(answer.stdout).instance
    }
    const all = async (method: string, times = 8): Promise<string[]> => [
      ...new Set(await Promise.all(Array.from({ length: times }, () => ask(method)))),
    ]
    // One of them has just been made.
    await until('both to be in its table', async () => {
      const [read, written] = [await all('GET'), await all('POST')]
      return read.join() === eu.id && written.join() === us.id
    })
    expect(await all('GET')).toEqual([eu.id])
    expect(await all('POST')).toEqual([us.id])
    await cluster.mustBerth(['node', 'label', 'h1', 'site=us'])
    await until('all to be near', async () => (await all('GET')).length === 2)
    await cluster.mustBerth(['node', 'label', 'h1', 'site=eu'])
    await until('its own again', async () => (await all('GET')).join() === eu.id)
  })

  it('of one’s own is answered on every node, also while the server hangs', async () => {
    const outside = cluster.lab.host('h3')
    const resolver = `
      const packet = require('dns-packet')
      const socket = require('node:dgram').createSocket('udp4')
      socket.on('message', (message, from) => {
        const { id, questions } = packet.decode(message)
        const { name, type } = questions[0]
        const answers = type === 'A' ? [{ type: 'A', name, ttl: 5, data: '192.0.2.53' }] : []
        socket.send(packet.encode({ type: 'response', id, questions, answers }), from.port, from.address)
      })
      socket.bind(53, '${outside.address}', () => console.log('listens'))`
    const serving = await outside.spawn([process.execPath, '-e', resolver], { cwd: root })
    try {
      await cluster.mustBerth(['domain', 'add', '*.shop.corp.example', 'web.shop'])
      await cluster.mustBerth(['domain', 'add', 'corp.internal', '--resolver', outside.address])
      await cluster.mustBerth(['domain', 'add', 'db.corp.example', 'db.production.shop'])
      await cluster.mustBerth(['net', 'set', '--consul-domain', 'consul'])
      const db = await one({ pool: 'production', entrypoint: 'db' })
      const askers = (await instances()).filter(({ pool }) => pool === 'staging')
      expect(new Set(askers.map(({ node }) => node))).toEqual(new Set(['h1', 'h2']))
      for (const node of ['h1', 'h2']) {
        const from = askers.find((each) => each.node === node) ?? db
        await until(`${node} to know`, async () => (await lookUp(from, 'db.corp.example'))[0] === db.address)
        const { address } = cluster.lab.host('h2')
        await until(`Consul’s names on ${node}`, async () => (await lookUp(from, 'h2.node.consul'))[0] === address)
      }
      const server = await cluster.pidOf('server')
      const addresses = new Map((await instances()).map((each) => [each.address, each]))
      const ask = async (host: LabHost, asker: InstanceView, name: string): Promise<string> => {
        const script = `require('node:dns').lookup('${name}', { family: 4 }, (e, a) => console.log(e ? e.code : a))`
        return (await host.exec(['docker', 'exec', asker.id, 'node', '-e', script])).stdout.trim()
      }
      process.kill(server, 'SIGSTOP')
      try {
        const answers = async (asker: InstanceView): Promise<void> => {
          const host = cluster.lab.host(asker.node ?? '')
          expect(await ask(host, asker, 'db.corp.example')).toBe(db.address)
          expect(addresses.get(await ask(host, asker, 'any.thing.shop.corp.example'))).toMatchObject({
            ...{ entrypoint: 'web', pool: 'staging' },
          })
          expect(await ask(host, asker, 'host.corp.internal')).toBe('192.0.2.53')
          expect(await ask(host, asker, 'production.shop-production-db.service.consul')).toBe(db.address)
          expect(await ask(host, asker, 'nobody.service.consul')).toBe('ENOTFOUND')
        }
        await Promise.all(askers.map(answers))
      } finally {
        process.kill(server, 'SIGCONT')
      }
    } finally {
      serving.kill('SIGKILL')
    }
  })
})

describe('programs made for Consul', () => {
  it('find instances with their ports and sites, and members as nginx-upsync reads them', async () => {
    const get = async (path: string) =>
      JSON.parse((await cluster.first.exec(['curl', '-sf', `http://127.0.0.1:8500/v1/${path}`])).stdout)
    const webs = (await instances()).filter(({ pool, entrypoint }) => pool === 'production' && entrypoint === 'web')
    const found = await get('health/service/shop-production?passing')
    const said = found.map(
      ({ Node, Service }: { Node: { Datacenter: string }; Service: { ID: string; Port: number } }) => [
        ...[Service.ID, Service.Port, Node.Datacenter],
      ],
    )
    expect(said.sort()).toEqual(webs.map(({ id, node }) => [id, 8080, node === 'h1' ? 'eu' : 'us']).sort())
    const keys = await get('kv/upstreams/shop-production/?keys')
    expect(keys).toEqual(webs.map(({ address }) => `upstreams/shop-production/${address}:8080`).sort())
  })
})

describe('an external service', () => {
  it('is reached by its name and by its route of the gateway, also while one of its addresses does not answer', async () => {
    const outside = cluster.lab.host('h3')
    const page = join(cluster.dir, 'legacy.js')
    writeFileSync(
      page,
      `require('node:http').createServer((q, s) => s.end('legacy ' + q.url)).listen(8070)
      const calls = require('node:http2').createServer().listen(8071)
      calls.on('stream', (stream) => {
        stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
        stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0', 'said-by': 'calls' }))
        stream.pipe(stream)
      })`,
    )
    const serving = await outside.spawn([process.execPath, page])
    try {
      const route = ['--port', 'http=8070', '--route', 'old.test/app', '--option', 'retries={on: [502, 503]}']
      const both = [outside.address, cluster.lab.host('h2').address]
      await cluster.mustBerth(['external', 'set', 'legacy.shop', '--address', ...both, ...route])
      const web = await one({ pool: 'production', entrypoint: 'web' })
      await until('its name', async () => both.includes((await lookUp(web, 'legacy'))[0] ?? ''))
      // `fetch` would say another host.
      const asked = ['curl', '-s', '-w', ' %{http_code}', '-H', 'Host: old.test', `${cluster.gatewayUrl}/app/x`]
      const answers = async (what: string) => (await cluster.first.exec(asked)).stdout.endsWith(what)
      await until('its route', () => answers('legacy /app/x 200'))
      const bodies = new Set<string>()
      const load = startLoad(`${cluster.gatewayUrl}/app/y`, {
        host: 'old.test',
        connections: 4,
        onBody: (body) => bodies.add(body),
      })
      await delay(1_000)
      const report = await load.stop()
      expect(report.failures).toEqual([])
      expect([...bodies]).toEqual(['legacy /app/y'])
      await cluster.mustBerth(['route', 'maintenance', 'old.test', 'on'])
      await until('the page of maintenance', () => answers(' 503'))
      await cluster.mustBerth(['route', 'maintenance', 'old.test', 'off'])
      await until('it to be back', () => answers('legacy /app/x 200'))
      await callsByGrpc(outside.address)
      await cluster.mustBerth(['external', 'rm', 'legacy.shop', '-y'])
      await until('it to go', () => answers(' 404'))
      await until('its name to go', async () => (await lookUp(web, 'legacy'))[0] === 'nobody')
    } finally {
      serving.kill('SIGKILL')
    }
  })
})

/** A route of gRPC, by TLS, to the port 8071 of this address: what was said comes back, and trailers after it. */
async function callsByGrpc(address: string): Promise<void> {
  const route = ['--port', 'grpc=8071', '--route', 'calls.test', '--option', 'protocol=grpc', 'timeout=5s']
  await cluster.mustBerth(['external', 'set', 'calls', '--address', address, ...route])
  const { hostname } = new URL(cluster.gatewayUrl)
  const headers = ['-H', 'Content-Type: application/grpc', '-H', 'TE: trailers', '-D', '-', '--data-binary', 'hello']
  const to = ['--resolve', `calls.test:443:${hostname}`, 'https://calls.test/berth.test.Echo/Say']
  await until('an answer by gRPC', async () => {
    const { stdout } = await cluster.first.exec(['curl', '-sk', '--http2', '-m', '5', ...headers, ...to])
    return ['HTTP/2 200', 'hello', 'grpc-status: 0', 'said-by: calls'].every((each) => stdout.includes(each))
  })
  await cluster.mustBerth(['external', 'rm', 'calls', '-y'])
}
