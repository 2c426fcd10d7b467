import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import pino from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DockerNetwork } from './docker-network.ts'
import { planNetwork } from './network-plan.ts'

const plan = planNetwork({
  pool: '10.77.0.0/16',
  block: '10.77.3.0/24',
  peers: [],
  domain: 'berth',
  defaultPool: 'production',
})
const mode = 'com.docker.network.bridge.gateway_mode_ipv4'
const asWanted = {
  Id: 'n1',
  Name: 'berth',
  Driver: 'bridge',
  IPAM: { Config: [{ Subnet: '10.77.3.0/24' }] },
  Options: { 'com.docker.network.bridge.name': 'berth0', 'com.docker.network.bridge.enable_ip_masquerade': 'false' },
  Labels: { 'berth.network': 'node' },
} as const

/** An engine that has one network at most, and keeps what it is asked to do. */
class FakeEngine implements AsyncDisposable {
  readonly done: string[] = []
  version = '20.10.24'
  network: object | undefined
  containers: string[] = []
  created: { Options?: Record<string, string>; IPAM?: unknown } = {}
  readonly #server: Server

  constructor(socketPath: string) {
    this.#server = createServer(async (request, response) => {
      const path = (request.url ?? '').replace(/^\/v[\d.]+/, '').replace(/\?.*/, '')
      const answer = await this.#answer(`${request.method} ${path}`, () => json(request))
      response.setHeader('Api-Version', '1.41').setHeader('Content-Type', 'application/json')
      response.writeHead(answer === undefined ? 204 : 200).end(JSON.stringify(answer))
    }).listen(socketPath)
  }

  async #answer(call: string, readBody: () => Promise<unknown>): Promise<unknown> {
    switch (call) {
      case 'GET /version':
        return { Version: this.version, ApiVersion: '1.41' }
      case 'GET /networks':
        return this.network === undefined ? [] : [{ ...this.network, Name: 'berth-other', Id: 'x' }, this.network]
      case 'GET /networks/n1':
        return this.network
      case 'GET /containers/json':
        return this.containers.map((name) => ({ Names: [`/${name}`] }))
      case 'DELETE /networks/n1':
        this.done.push('removed')
        return undefined
      case 'POST /networks/create':
        this.created = (await readBody()) as typeof this.created
        this.done.push('created')
        return { Id: 'n2' }
      default:
        return {}
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }
}

let directory: string
let engine: FakeEngine
let network: DockerNetwork

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'docker-network-'))
  const socketPath = join(directory, 'docker.sock')
  engine = new FakeEngine(socketPath)
  network = new DockerNetwork(socketPath, 'berth', pino({ level: 'silent' }))
})
afterEach(async () => {
  await engine[Symbol.asyncDispose]()
  await rm(directory, { recursive: true, force: true })
})

const ensure = (bridgeExists = true) => network.ensure(plan, async () => 1400, bridgeExists, undefined)

describe('the Docker network', () => {
  it.each([
    ['20.10.24+dfsg1', undefined],
    ['26.1.5', undefined],
    ['28.0.0', 'nat-unprotected'],
    ['29.1.3', 'nat-unprotected'],
  ])('is made so that other nodes reach its containers: engine %s', async (version, gatewayMode) => {
    engine.version = version
    await ensure()
    expect(engine.done).toEqual(['created'])
    expect(engine.created.IPAM).toMatchObject({ Config: [{ Subnet: '10.77.3.0/24', Gateway: '10.77.3.1' }] })
    expect(engine.created.Options).toMatchObject({
      ...asWanted.Options,
      'com.docker.network.driver.mtu': '1400',
    })
    expect(engine.created.Options?.[mode]).toBe(gatewayMode)
  })

  it('is left alone when it is as wanted', async () => {
    engine.network = asWanted
    await ensure()
    engine.version = '28.0.0'
    engine.network = { ...asWanted, Options: { ...asWanted.Options, [mode]: 'nat-unprotected' } }
    await ensure()
    expect(engine.done).toEqual([])
  })

  const faults: [string, object, boolean, string, string][] = [
    ['has another subnet', { IPAM: { Config: [{ Subnet: '10.9.0.0/24' }] } }, true, '20.10', 'network.subnet-differs'],
    ['has no bridge any more', {}, false, '20.10', 'network.bridge-missing'],
    ['is older than its engine', {}, true, '28.3.1', 'network.engine-upgraded'],
  ]

  it.each(faults)('that %s is made anew while nothing is bound to it', async (_, change, bridgeExists, version) => {
    engine.network = { ...asWanted, ...change }
    engine.version = version
    await ensure(bridgeExists)
    expect(engine.done).toEqual(['removed', 'created'])
  })

  it.each(faults)('that %s stays while a container is bound to it', async (_, change, bridgeExists, version, code) => {
    engine.network = { ...asWanted, ...change }
    engine.version = version
    engine.containers = ['shop.production.web-1']
    await expect(ensure(bridgeExists)).rejects.toMatchObject({
      code,
      message: expect.stringContaining('remove the container shop.production.web-1 in it and run') as string,
    })
    expect(engine.done).toEqual([])
  })

  it("is left to its owner when it is not ours, whatever it's like", async () => {
    engine.network = { ...asWanted, Labels: {}, Driver: 'macvlan' }
    await expect(ensure()).rejects.toMatchObject({ code: 'network.subnet-differs' })
    expect(engine.done).toEqual([])
  })

  it('is not removed while a container is bound to it', async () => {
    engine.network = asWanted
    engine.containers = ['a', 'b']
    await expect(network.remove(undefined)).rejects.toMatchObject({ code: 'network.in-use' })
    engine.containers = []
    await network.remove(undefined)
    expect(engine.done).toEqual(['removed'])
  })

  const tellNetd = async () => void engine.done.push('told netd')
  const routed = {
    ...{ Id: 'n1', Name: 'berth', Driver: 'berth', Labels: { 'berth.network': 'node' } },
    IPAM: { Driver: 'berth', Config: [{ Subnet: '10.77.0.0/16' }] },
  }

  it('of routed mode is made with the driver that netd serves, and then left alone', async () => {
    await network.ensureRouted(plan, tellNetd, undefined)
    expect(engine.created).toEqual({
      ...{ Name: 'berth', Driver: 'berth', Labels: { 'berth.network': 'node' } },
      IPAM: { Driver: 'berth', Config: [{ Subnet: '10.77.0.0/16' }] },
    })
    expect(engine.done.splice(0)).toEqual(['told netd', 'created'])
    engine.network = routed
    expect(await network.ensureRouted(plan, tellNetd, undefined)).toBe('10.77.0.0/16')
    expect(engine.done).toEqual(['told netd'])
  })

  it('of routed mode that holds the block only, as it was before, is made anew once nothing is bound to it', async () => {
    engine.network = { ...routed, IPAM: { Config: [{ Subnet: '10.77.3.0/24' }] } }
    engine.containers = ['shop.production.web-1']
    expect(await network.ensureRouted(plan, tellNetd, undefined)).toBe('10.77.3.0/24')
    expect(engine.done.splice(0)).toEqual(['told netd'])
    engine.containers = []
    expect(await network.ensureRouted(plan, tellNetd, undefined)).toBe('10.77.0.0/16')
    expect(engine.done).toEqual(['removed', 'told netd', 'created'])
  })

  it.each([
    ['another subnet', { ...routed, IPAM: { Config: [{ Subnet: '10.9.0.0/24' }] } }],
    ['a bridge', asWanted],
  ])('of routed mode that has %s is made anew only while nothing is bound to it', async (_, found) => {
    engine.network = found
    engine.containers = ['by-hand']
    await expect(network.ensureRouted(plan, tellNetd, undefined)).rejects.toMatchObject({
      code: 'network.subnet-differs',
    })
    expect(engine.done).toEqual([])
    engine.containers = []
    await network.ensureRouted(plan, tellNetd, undefined)
    expect(engine.done).toEqual(['removed', 'told netd', 'created'])
  })

  it.each([
    ['bridge', routed, [], 'bridge'],
    ['bridge', routed, ['a', 'b'], 'routed'],
    ['routed', asWanted, [], 'routed'],
    ['routed', asWanted, ['a', 'b'], 'bridge'],
    ['routed', routed, ['a', 'b'], 'routed'],
    ['routed', undefined, [], 'routed'],
    // Somebody's own network of that name: nothing to wait for, it is in the way.
    ['routed', { ...asWanted, Labels: {} }, ['a'], 'routed'],
  ] as const)('%s wanted, %j there, bound to it %j: %s', async (wanted, found, containers, driver) => {
    engine.network = found
    engine.containers = [...containers]
    expect((await network.settle(wanted, undefined)).driver).toBe(driver)
    expect(engine.done).toEqual([])
  })

  it('cannot be had without an engine, which is worth another try', async () => {
    const absent = new DockerNetwork(join(directory, 'absent.sock'), 'berth', pino({ level: 'silent' }))
    await expect(absent.ensure(plan, async () => 1500, true, undefined)).rejects.toMatchObject({
      code: 'network.engine-unreachable',
      retryable: true,
    })
  })
})
