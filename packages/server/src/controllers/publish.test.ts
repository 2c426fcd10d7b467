import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TestCluster, testSpec } from './cluster.testing.ts'

const call = { actor: 'test' }
const tcp = (hostPort: number, port: number) => ({ hostPort, port, protocol: 'tcp' as const })

let cluster: TestCluster
beforeEach(async () => {
  cluster = await TestCluster.start()
})
afterEach(() => cluster[Symbol.asyncDispose]())

const web = (n: number) => `shop.production.web-${n}`
const publish = (n: number, hostPort: number, port = 8080) =>
  cluster.operations.publishPort(web(n), tcp(hostPort, port), call)
const unpublish = (n: number, hostPort: number) =>
  cluster.operations.unpublishPort(web(n), { hostPort, protocol: 'tcp' }, call)

describe('a published port', () => {
  it('is told to the node of its instance, which is the same instance still, and withdrawn again', async () => {
    cluster.commits.set('c1', testSpec({ web: {} }))
    await cluster.deploy('c1')
    await publish(1, 9000)
    await publish(1, 9000)
    await publish(1, 8500, 53)
    const published = () => cluster.node.assignments.get(web(1))?.published
    await cluster.until('both', () => published()?.length === 2)
    expect(published()).toEqual([tcp(8500, 53), tcp(9000, 8080)])
    expect(cluster.state.instances.all()).toMatchObject([{ id: web(1), restartNonce: 0 }])
    await unpublish(1, 8500)
    await cluster.until('one', () => published()?.length === 1)
    await expect(unpublish(1, 8500)).rejects.toThrow('it is not published; these are: 9000/tcp')
    await unpublish(1, 9000)
    await cluster.until('none', () => published() === undefined)
    expect(cluster.state.instances.get(web(1))).not.toHaveProperty('published')
    const events = cluster.state.events.all().filter(({ type }) => type.includes('published'))
    expect(events.map(({ message }) => message)).toEqual([
      `port 9000/tcp of node-a leads to ${web(1)}:8080`,
      `port 8500/tcp of node-a leads to ${web(1)}:53`,
      `port 8500/tcp of node-a leads to ${web(1)} no more`,
      `port 9000/tcp of node-a leads to ${web(1)} no more`,
    ])
  })

  it('is one of several that follow each other, all of them or none, and may be at one address of its node', async () => {
    cluster.commits.set('c1', testSpec({ web: {} }))
    await cluster.deploy('c1')
    const range = { hostPort: 8000, port: 9000, protocol: 'tcp' as const, count: 3 }
    const at = (hostAddress: string) => cluster.operations.publishPort(web(1), { ...tcp(7000, 80), hostAddress }, call)
    const published = () => cluster.state.instances.get(web(1))?.published
    await publish(1, 8002, 53)
    await expect(cluster.operations.publishPort(web(1), range, call)).rejects.toMatchObject({
      code: 'publish.port-taken',
    })
    expect(published()).toEqual([tcp(8002, 53)])
    await unpublish(1, 8002)
    await cluster.operations.publishPort(web(1), range, call)
    await cluster.operations.publishPort(web(1), range, call)
    expect(published()).toEqual([tcp(8000, 9000), tcp(8001, 9001), tcp(8002, 9002)])
    await expect(at('127.0.0.1')).rejects.toMatchObject({
      code: 'publish.old-agent',
      message: expect.stringContaining('berth node upgrade node-a'),
    })
    await cluster.records.commit('system:test', (tx) => {
      const status = cluster.state.nodeStatuses.get('node-a')
      if (status !== undefined) tx.put('nodeStatuses', { ...status, abilities: ['publish-address'] })
    })
    for (const address of ['169.254.77.53', '0.0.0.0', '224.0.0.1'])
      await expect(at(address)).rejects.toMatchObject({ code: 'publish.invalid' })
    await expect(publish(1, 65_535, 65_535)).resolves.toBeDefined()
    await expect(cluster.operations.publishPort(web(1), { ...tcp(65_534, 80), count: 3 }, call)).rejects.toMatchObject({
      code: 'publish.invalid',
      message: expect.stringContaining('port 65536'),
    })
    await at('127.0.0.1')
    await expect(at('192.0.2.7')).rejects.toMatchObject({ code: 'publish.port-taken' })
    await cluster.until('its node to know', () => cluster.node.assignments.get(web(1))?.published?.length === 5)
    expect(cluster.node.assignments.get(web(1))?.published?.[0]).toEqual({ ...tcp(7000, 80), hostAddress: '127.0.0.1' })
    await expect(
      cluster.operations.unpublishPort(web(1), { hostPort: 8001, protocol: 'tcp', count: 3 }, call),
    ).rejects.toThrow('unpublish 8003/tcp')
    await cluster.operations.unpublishPort(web(1), { hostPort: 8000, protocol: 'tcp', count: 3 }, call)
    expect(published()?.map(({ hostPort }) => hostPort)).toEqual([7000, 65_535])
    const messages = cluster.state.events.all().map(({ message }) => message)
    expect(messages).toEqual(
      expect.arrayContaining([
        `port 8000-8002/tcp of node-a leads to ${web(1)}:9000`,
        `port 7000/tcp at 127.0.0.1 of node-a leads to ${web(1)}:80`,
        `port 8000-8002/tcp of node-a leads to ${web(1)} no more`,
      ]),
    )
  })

  it('is nobody else’s: neither published again nor given to what is placed', async () => {
    cluster.commits.set('c1', testSpec({ web: { replicas: 2 } }))
    await cluster.deploy('c1')
    await publish(1, 9000)
    await expect(publish(2, 9000)).rejects.toMatchObject({
      code: 'publish.port-taken',
      message: expect.stringContaining(`port 9000 of node-a is that of ${web(1)}`),
    })
    await expect(publish(1, 9000, 53)).rejects.toMatchObject({ code: 'publish.port-taken' })
    const ports = [{ name: 'http', port: 8080, protocol: 'tcp' as const, hostPort: 9000 }]
    const spec = testSpec({ web: { replicas: 2 }, proxy: { ports, readyTimeoutMs: 60_000 } })
    cluster.commits.set('c2', { ...spec, rollout: { ...spec.rollout, surge: 0, unavailable: 1 } })
    const args = { app: 'shop', pool: 'production', ref: 'c2', force: false, repository: '/repo' }
    await cluster.operations.deploy(args, call)
    const proxy = () => cluster.state.instances.all().find(({ entrypoint }) => entrypoint === 'proxy')
    // The instance that has the port is replaced in the end, and takes it with it.
    await cluster.until('the proxy', () => proxy()?.node !== undefined)
    expect(cluster.state.instances.get(web(1))?.desired ?? 'stop').toBe('stop')
    await expect(publish(3, 9000)).rejects.toMatchObject({ code: 'publish.port-taken' })
  })

  it('is refused where a program of the node listens, unless the port is an instance’s: then that is said', async () => {
    cluster.commits.set('c1', testSpec({ web: { replicas: 2 } }))
    await cluster.deploy('c1')
    const asked = (n: number, ...listening: readonly number[]) =>
      cluster.operations.publishPort(web(n), { ...tcp(9000, 80), count: 2 }, call, listening)
    await expect(asked(1, 22, 9001)).rejects.toMatchObject({
      code: 'publish.program-listens',
      message: expect.stringContaining('a program of node-a itself listens at port 9001'),
    })
    await asked(1, 22)
    await expect(asked(2, 9000)).rejects.toMatchObject({ code: 'publish.port-taken' })
  })

  it('is refused for what does not run and what has its node’s ports', async () => {
    const ports = [{ name: 'http', port: 8080, protocol: 'tcp' as const, hostPort: 8080 }]
    cluster.commits.set('c1', testSpec({ web: { network: 'host', ports }, big: { resources: { cpuMilli: 64_000 } } }))
    const args = { app: 'shop', pool: 'production', ref: 'c1', force: false, repository: '/repo' }
    await cluster.operations.deploy(args, call)
    await cluster.until('both', () => cluster.state.instances.size === 2)
    const [big] = cluster.state.instances.unplaced()
    await expect(publish(1, 9000)).rejects.toMatchObject({ code: 'publish.host-network' })
    await expect(cluster.operations.publishPort(big?.id ?? '', tcp(9000, 80), call)).rejects.toMatchObject({
      code: 'instance.not-running',
    })
    await expect(publish(9, 9000)).rejects.toMatchObject({ code: 'instance.not-found' })
  })
})
