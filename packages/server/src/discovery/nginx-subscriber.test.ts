/** The example in `examples/nginx-subscriber`, by a real Redis and a real nginx with Lua. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '@berth/api/testing/free-ports.testing'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { silent } from '../store/sqlite/open-temporary.testing.ts'
import { Subscriptions } from '../subscriptions/subscriptions.ts'
import { Teller } from '../subscriptions/teller.ts'
import { DiscoveryUnderTest } from './discovery.testing.ts'

const example = join(import.meta.dirname, '../../../../examples/nginx-subscriber')
const parts = new AsyncDisposableStack()
let discovery: DiscoveryUnderTest
let port: number
let token: string

beforeAll(async () => {
  discovery = parts.use(await DiscoveryUnderTest.start())
  token = await discovery.token('ci', 'deployer')
  const { records } = discovery.cluster
  const redisPort = await freePort()
  run('redis-server', ['--port', String(redisPort), '--bind', '127.0.0.1', '--save', ''])
  const subscriptions = new Subscriptions(records, { derive: () => Buffer.alloc(32) })
  parts.use(new Teller({ records, subscriptions, log: silent, retryMs: () => 50 }))
  const wish = { url: `redis://127.0.0.1:${redisPort}/berth`, events: ['service.*'] }
  await subscriptions.put('cache', wish, { actor: 'token:ann' })
  const directory = await mkdtemp(join(tmpdir(), 'berth-subscriber-'))
  parts.defer(() => rm(directory, { recursive: true, force: true }))
  port = await freePort()
  const text = (await readFile(join(example, 'nginx.conf'), 'utf8'))
    .replace('/etc/nginx/berth', example)
    .replace('consul_port = 8500', `consul_port = ${discovery.port}`)
    .replace('redis_port = 6379', `redis_port = ${redisPort}`)
    .replace('listen 127.0.0.1:8080', `listen 127.0.0.1:${port}`)
    .replaceAll('shop-production', 'legacy')
  await writeFile(join(directory, 'nginx.conf'), `daemon off; pid ${directory}/pid;\n${text}`)
  run('nginx', ['-e', 'stderr', '-p', directory, '-c', join(directory, 'nginx.conf')])
})
afterAll(() => parts.disposeAsync())

function run(program: string, args: readonly string[]): void {
  const child: ChildProcess = spawn(program, args, { stdio: 'ignore', cwd: '/tmp' })
  parts.defer(async () => {
    child.kill()
    if (child.exitCode === null) await once(child, 'exit')
  })
}

async function backend(name: string): Promise<number> {
  const server: Server = createServer((_, response) => response.end(name)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  parts.defer(() => void server.close())
  return (server.address() as AddressInfo).port
}

const put = (path: string, body?: unknown) =>
  discovery.ask(`/v1/agent/service/${path}`, {
    ...{ method: 'PUT', headers: { 'X-Consul-Token': token } },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
const ask = async (path: string): Promise<string> => {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`).catch(() => undefined)
  return answer === undefined ? '' : `${answer.status} ${(await answer.text()).trim()}`
}
const answers = async () => new Set([await ask('/'), await ask('/'), await ask('/'), await ask('/')])

it('takes members in and out as Berth tells it, and keeps the last', async () => {
  const [one, two] = [await backend('one'), await backend('two')]
  await put('register', { ID: 'legacy-1', Name: 'legacy', Address: '127.0.0.1', Port: one })
  await expect.poll(() => ask('/')).toBe('200 one')
  await put('register', { ID: 'legacy-2', Name: 'legacy', Address: '127.0.0.1', Port: two })
  // Sooner than it would look by itself.
  await expect.poll(answers, { timeout: 8_000 }).toEqual(new Set(['200 one', '200 two']))
  await put('deregister/legacy-1')
  await expect.poll(answers, { timeout: 8_000 }).toEqual(new Set(['200 two']))
  await put('deregister/legacy-2')
  await expect.poll(() => discovery.cluster.state.registeredServices.size).toBe(0)
  expect(await ask('/members')).toBe(`200 127.0.0.1:${two}`)
})
