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
