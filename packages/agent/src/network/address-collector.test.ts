import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { promisify } from 'node:util'
import type { NetworkDriver } from '@berth/core'
import pino from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { AddressCollector } from './address-collector.ts'
import { DockerMembers } from './docker-members.ts'
import { DockerNetworkCalls } from './docker-network-calls.ts'
import { bridgeName } from './network-plan.ts'

const log = pino({ level: 'silent' })
const instance = {
  ...{ Id: 'c1', Names: ['/shop.production.web-1'], State: 'running', Created: 12 },
  Labels: { 'berth.instance': 'shop.production.web-1' },
  NetworkSettings: { Networks: { berth: { IPAddress: '10.77.3.2' } } },
}
const dead = { 'ep-1': { Name: 'shop.production.web-2', IPv4Address: '10.77.3.3/24' } }

/** Docker, as far as it is asked here. */
class FakeEngine implements AsyncDisposable {
  containers: object[] = [instance]
  endpoints: Record<string, object> = { c1: { Name: 'shop.production.web-1', IPv4Address: '10.77.3.2/24' }, ...dead }
  readonly disconnected: unknown[] = []
  readonly #server: Server

  constructor(socketPath: string) {
    this.#server = createServer(async (request, response) => {
      const url = new URL(request.url ?? '', 'http://docker')
      const call = `${request.method} ${url.pathname.replace(/^\/v[\d.]+/, '')}`
      const answer = await this.#answer(call, JSON.parse(url.searchParams.get('filters') ?? '{}'), () => json(request))
      response.setHeader('Api-Version', '1.41').setHeader('Content-Type', 'application/json')
      response.writeHead(answer === undefined ? 404 : 200).end(JSON.stringify(answer ?? { message: call }))
    }).listen(socketPath)
  }

  async #answer(call: string, { name }: { name?: string[] }, readBody: () => Promise<unknown>): Promise<unknown> {
    const network = { Id: 'n1', Name: 'berth', Driver: 'bridge', Containers: this.endpoints }
    if (call === 'GET /version') return { Version: '20.10.24', ApiVersion: '1.41' }
    if (call === 'GET /_ping') return 'OK'
    if (call === 'GET /networks') return [network]
    if (call === 'GET /networks/n1') return network
    if (call === 'GET /containers/json')
      return name?.[0] === undefined || !name[0].startsWith('^')
        ? this.containers
        : this.containers.filter((each) => new RegExp(name[0] ?? '').test((each as typeof instance).Names[0] ?? ''))
    if (call !== 'POST /networks/n1/disconnect') return undefined
    this.disconnected.push(await readBody())
    this.endpoints = {}
    return {}
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }
}

let dir: string
let engine: FakeEngine
let now: number
let driver: NetworkDriver
/** What `ip` says of veths on the bridge. */
let veths: object[]
/** Addresses that netd holds for nobody. */
let behind: string[]
let commands: string[]
let collector: AddressCollector

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'berth-addresses-'))
  engine = new FakeEngine(join(dir, 'docker.sock'))
  ;[now, driver, veths, behind, commands] = [1_000_000, 'bridge', [], [], []]
  collector = new AddressCollector({
    members: new DockerMembers(new DockerNetworkCalls(join(dir, 'docker.sock'), 'berth', log), 'berth'),
    endpoints: { leftBehind: async () => behind, isLinked: async (address) => address !== '10.77.3.2' },
    exec: async (_, args) => {
      commands.push(args.join(' '))
      return { code: 0, stdout: args.includes('show') ? JSON.stringify(veths) : '', stderr: '' }
    },
    ...{ driver: () => driver, log, now: () => now },
  })
})
afterEach(async () => {
  await engine[Symbol.asyncDispose]()
  await rm(dir, { recursive: true, force: true })
})

describe('what a node has', () => {
  it('is said: containers, whose they are, and what no container has', async () => {
    engine.containers.push({
      ...instance,
      Id: 'c2',
      Names: ['/mine'],
      Labels: null,
      State: 'exited',
      NetworkSettings: {},
    })
    veths = [
      { ifname: 'veth1', link: 'veth2' },
      { ifname: 'veth3', link_index: 7 },
      { ifname: 'mine', link: 'veth9' },
    ]
    behind = ['10.77.3.9']
    expect(await collector.report()).toEqual({
      driver: 'bridge',
      containers: [
        {
          ...{ id: 'c1', name: 'shop.production.web-1', instance: 'shop.production.web-1' },
          ...{ isRunning: true, address: '10.77.3.2', createdAt: 12_000 },
        },
        { id: 'c2', name: 'mine', isRunning: false, createdAt: 12_000 },
      ],
      left: [
        { kind: 'endpoint', name: 'shop.production.web-2', address: '10.77.3.3' },
        { kind: 'link', name: 'berth-0a4d0309', address: '10.77.3.9' },
        { kind: 'veth', name: 'veth1' },
      ],
      unlinked: [],
    })
    driver = 'routed'
    expect((await collector.report()).unlinked).toEqual(['10.77.3.2'])
  })

  it('is said as far as it is known while Docker is silent, and nothing is taken away then', async () => {
    behind = ['10.77.3.9']
    await collector.report()
    await engine[Symbol.asyncDispose]()
    now += 60_000
    const { left, engineProblem } = await collector.report()
    expect(left.map(({ kind }) => kind)).toEqual(['link'])
    expect(engineProblem).toMatch(/Docker/)
    expect((await collector.release()).released).toEqual([])
    engine = new FakeEngine(join(dir, 'docker.sock'))
  })
})

describe('what is left over', () => {
  it('is taken away only when it was seen for half a minute, and links by netd alone', async () => {
    behind = ['10.77.3.9']
    veths = [{ ifname: 'veth1', link: 'veth2' }]
    const first = await collector.release()
    expect([first.released.length, first.later.length]).toEqual([0, 3])
    now += 29_000
    expect((await collector.release()).released).toEqual([])
    expect([engine.disconnected, commands.filter((each) => each.includes('delete'))]).toEqual([[], []])
    now += 2_000
    const { released, later } = await collector.release()
    expect(released.map(({ kind }) => kind)).toEqual(['endpoint', 'veth'])
    expect(later.map(({ kind }) => kind)).toEqual(['link'])
    expect(engine.disconnected).toEqual([{ Container: 'shop.production.web-2', Force: true }])
    expect(commands.filter((each) => each.includes('delete'))).toEqual(['link delete veth1'])
  })

  it('counts anew when it was gone in between', async () => {
    await collector.report()
    const { endpoints } = engine
    engine.endpoints = {}
    await collector.report()
    engine.endpoints = endpoints
    now += 60_000
    expect((await collector.release()).released).toEqual([])
  })

  it('is left alone when a container of that name is there after all, running or not', async () => {
    await collector.report()
    now += 60_000
    engine.containers.push({ ...instance, Id: 'c2', Names: ['/shop.production.web-2'], State: 'created' })
    expect((await collector.release()).released).toEqual([])
    expect(engine.disconnected).toEqual([])
  })
})

/** In a network namespace of its own, which goes with it. */
const script = `
import { readUnusedVeths } from ${JSON.stringify(join(import.meta.dirname, 'host-state.ts'))}
import { runCommand } from ${JSON.stringify(join(import.meta.dirname, 'run-command.ts'))}
import { execFileSync, spawn } from 'node:child_process'
import { readlinkSync } from 'node:fs'
const ip = (...args) => execFileSync('ip', args, { encoding: 'utf8' })
const said = { none: await readUnusedVeths(runCommand, '${bridgeName}') }
ip('link', 'add', '${bridgeName}', 'type', 'bridge')
ip('link', 'add', 'vethleft', 'type', 'veth', 'peer', 'name', 'vethleft2')
ip('link', 'set', 'vethleft', 'master', '${bridgeName}')
ip('link', 'add', 'vethused', 'type', 'veth', 'peer', 'name', 'vethused2')
ip('link', 'set', 'vethused', 'master', '${bridgeName}')
const container = spawn('unshare', ['--net', 'sleep', '30'])
const netOf = (pid) => { try { return readlinkSync('/proc/' + pid + '/ns/net') } catch { return '' } }
const end = Date.now() + 20_000
while (Date.now() < end && ['', netOf('self')].includes(netOf(container.pid))) await new Promise((resolve) => setTimeout(resolve, 10))
ip('link', 'set', 'vethused2', 'netns', String(container.pid))
said.veths = await readUnusedVeths(runCommand, '${bridgeName}')
container.kill('SIGKILL')
console.log(JSON.stringify(said))
`

it('tells a link into a container from one that is left, by a real kernel', async () => {
  const argv = ['--net', process.execPath, '--input-type=module', '--eval', script]
  const { stdout } = await promisify(execFile)('unshare', argv, { timeout: 60_000 })
  expect(JSON.parse(stdout)).toEqual({ none: [], veths: ['vethleft'] })
})
