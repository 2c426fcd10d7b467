import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { InstanceView } from '../packages/api/src/index.ts'
import { webSource } from './support/apps.ts'
import { Cluster } from './support/cluster.ts'
import { until } from './support/load.ts'

/** A program that is ready when it knows of somebody who answers for what it binds, and prints whom it is told of. */
const front = `
const http = require('node:http')
const socketPath = process.env.BERTH_SOCKET
const put = (path, body) => new Promise((resolve) => {
  const asked = http.request({ socketPath, path, method: 'PUT' }, (answer) => answer.resume().once('end', () => resolve(answer.statusCode)))
  asked.on('error', () => resolve(0)).end(JSON.stringify(body))
})
const watch = () => {
  const again = () => setTimeout(watch, 200)
  http.get({ socketPath, path: '/v1/services/watch' }, (answer) => {
    let rest = ''
    answer.on('data', (chunk) => {
      const lines = (rest + chunk).split('\\n')
      rest = lines.pop()
      for (const line of lines.filter((each) => each.startsWith('data: '))) {
        const members = JSON.parse(line.slice(6)).BACK.members.map((each) => each.instance)
        console.log('told of ' + members.join(' '))
        if (members.length > 0) put('/v1/readiness', { ready: true })
      }
    }).once('close', again)
  }).on('error', again)
}
watch()
put('/v1/metrics', { queue_length: 12 })
http.createServer((request, response) => response.end('front')).listen(process.env.PORT)
`

const yaml = `app: shop
build:
  base: berth/node:local
entrypoints:
  front:
    command: node front.js
    cpu: 0.1
    memory: 64Mi
    ports: [8080]
    bind: [back]
    health: {readiness: report}
  back:
    command: node server.js
    cpu: 0.1
    memory: 64Mi
    ports: [8080]
routes:
  - {host: shop.test, entrypoint: front}
`

let cluster: Cluster
const id = 'shop.production.front-1'

beforeAll(async () => {
  cluster = await Cluster.start()
  const files = { 'berth.yaml': yaml, 'front.js': front, 'server.js': webSource('1') }
  const shop = await cluster.repository('shop', files)
  await cluster.mustBerth(['deploy'], { cwd: shop.path })
})
afterAll(() => cluster[Symbol.asyncDispose]())

const look = (): Promise<InstanceView> => cluster.client.call('getInstance', { params: { id } })
const output = async (): Promise<string> => (await cluster.mustBerth(['logs', id])).stdout
const say = async (path: string, body: object): Promise<string> => {
  const script = `
    require('node:http').request({ socketPath: process.env.BERTH_SOCKET, path: '${path}', method: 'PUT' }, (answer) => {
      console.log(answer.statusCode)
    }).end('${JSON.stringify(body)}')`
  return (await cluster.mustBerth(['exec', id, 'node', '-e', script])).stdout.trim()
}

describe('at its socket a program', () => {
  it('says when it is ready: once it is told who answers for what it binds', async () => {
    expect((await look()).inTraffic).toBe(true)
    expect(await output()).toContain('told of shop.production.back-1')
  })

  it('is told of others as they come and go', async () => {
    await cluster.mustBerth(['scale', 'shop', 'back=2'])
    await until('it to be told', async () => (await output()).includes('back-1 shop.production.back-2'))
    await cluster.mustBerth(['scale', 'shop', 'back=1'])
    await until('it to be told', async () => /back-2\s+told of shop.production.back-\d\s*$/.test(await output()))
  })

  it('asks for no traffic and for it again, and berth ps says why', async () => {
    expect(await say('/v1/maintenance', { on: true, message: 'migrating' })).toBe('204')
    await until('it to be out of traffic', async () => !(await look()).ready)
    const { stdout, stderr } = await cluster.mustBerth(['ps', 'shop'])
    expect(stdout).toMatch(/^front-1 .* not ready /m)
    expect(stderr).toContain('front-1 is not ready any more: it says that it is in maintenance: migrating')
    expect(await say('/v1/maintenance', { on: false })).toBe('204')
    await until('it to be in traffic', async () => (await look()).inTraffic)
  })

  it('is believed by the agent that follows one that was killed', async () => {
    const { startedAt } = await look()
    const agent = await cluster.pidOf('agent')
    process.kill(agent, 'SIGKILL')
    await until('another agent', async () => (await cluster.pidOf('agent')) !== agent)
    await until('it to be asked', async () => (await cluster.berth(['exec', id, 'true'])).code === 0)
    expect(await say('/v1/maintenance', { on: false })).toBe('204')
    expect(await look()).toMatchObject({ ready: true, startedAt })
  })

  it('tells its numbers, and they are in the agent’s /metrics', async () => {
    expect(await say('/v1/metrics', { queue_length: 12 })).toBe('204')
    const { stdout } = await cluster.first.exec(['curl', '-sf', 'http://127.0.0.1:7602/metrics'])
    const line = stdout.split('\n').find((each) => each.startsWith('berth_instance_reported{')) ?? ''
    expect(line).toContain(`instance="${id}"`)
    expect(line).toMatch(/name="queue_length"\} 12$/)
  })
})
