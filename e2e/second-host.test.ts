import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { InstanceView, NodeView } from '../packages/api/src/index.ts'
import { webApp } from './support/apps.ts'
import { Cluster } from './support/cluster.ts'
import { startLoad, until } from './support/load.ts'

let cluster: Cluster

beforeAll(async () => {
  cluster = await Cluster.start({ hosts: 2 })
})
afterAll(() => cluster[Symbol.asyncDispose]())

describe('a second host', () => {
  it('joins by a one-time token, which works only once', async () => {
    const [, second] = cluster.lab.hosts
    if (second === undefined) throw new Error('a lab of two has two hosts')
    const { token } = (await cluster.mustBerth(['node', 'token', '-o', 'json'])).json<{ token: string }>()
    const join = [
      'node',
      'join',
      '--server',
      `${cluster.first.address}:7600`,
      '--node',
      'h2',
      '--address',
      second.address,
      '--no-gateway',
    ]
    await cluster.mustBerth(join, { host: second, env: { BERTH_JOIN_TOKEN: token } })
    await cluster.untilOnline(2)
    const again = await cluster.berth([...join.slice(0, -4), 'h3', ...join.slice(-3)], {
      host: second,
      env: { BERTH_JOIN_TOKEN: token },
    })
    expect(again.code).not.toBe(0)
  })

  it('gets instances, with an image that was built elsewhere, and the gateway reaches them', async () => {
    const repository = await cluster.repository('shop', webApp({ replicas: 4 }))
    await cluster.mustBerth(['deploy', 'shop', '--repository', repository.path])
    const all = (await cluster.mustBerth(['ps', '-o', 'json'])).json<InstanceView[]>()
    expect(all.map((each) => each.node).sort()).toEqual(['h1', 'h1', 'h2', 'h2'])
    const seen = new Set<string>()
    const load = startLoad(`${cluster.gatewayUrl}/`, {
      host: 'shop.test',
      connections: 4,
      onBody: (body) => seen.add(JSON.parse(body).instance),
    })
    await until('all four to answer', () => seen.size === 4)
    expect((await load.stop()).failures).toEqual([])
  })

  it('containers on both hosts reach each other by name and see the real address', async () => {
    const all = (await cluster.client.list('listInstances', { query: { app: 'shop' } })).items
    const here = all.find((each) => each.node === 'h1')
    const there = all.find((each) => each.node === 'h2')
    const answer = await cluster.mustBerth([
      'exec',
      here?.id ?? '',
      'wget',
      '-q',
      '-O',
      '-',
      `http://${there?.name}.production.shop.berth:8080/ip`,
    ])
    expect(answer.stdout).toContain(here?.address)
  })

  it('what is in its node’s own network has the node’s address, in names and for the gateway too', async () => {
    const extra = 'rollout: {surge: 0, unavailable: 1}'
    const files = webApp({ app: 'edge', replicas: 2, extra })
    const yaml = (files['berth.yaml'] ?? '')
      .replace('http: 8080', 'http: 8090')
      .replace('    cpu:', '    network: host\n    cpu:')
    const repository = await cluster.repository('edge', { ...files, 'berth.yaml': yaml })
    await cluster.mustBerth(['deploy', 'edge', '--repository', repository.path])
    const all = (await cluster.client.list('listInstances', { query: { app: 'edge' } })).items
    const byNode = Object.fromEntries(all.map(({ node, address, network }) => [node, { address, network }]))
    const [first, second] = cluster.lab.hosts
    expect(byNode).toEqual({
      h1: { address: first?.address, network: 'host' },
      h2: { address: second?.address, network: 'host' },
    })
    const asker = (await cluster.client.list('listInstances', { query: { app: 'shop' } })).items.find(
      ({ node }) => node === 'h1',
    )
    const there = all.find(({ node }) => node === 'h2')
    const url = `http://${there?.name}.production.edge.berth:8090/ip`
    const answer = await cluster.mustBerth(['exec', asker?.id ?? '', 'wget', '-q', '-O', '-', url])
    // To an address of a node it goes out as everything that leaves the cluster's network: as its own node.
    expect(answer.stdout).toContain(first?.address)
    const back = `http://${asker?.name}.production.shop.berth:8080/ip`
    expect((await cluster.mustBerth(['exec', there?.id ?? '', 'wget', '-q', '-O', '-', back])).stdout).not.toBe('')
    const seen = new Set<string>()
    const load = startLoad(`${cluster.gatewayUrl}/`, {
      host: 'edge.test',
      connections: 2,
      onBody: (body) => seen.add(JSON.parse(body).instance),
    })
    await until('both to answer', () => seen.size === 2)
    await cluster.mustBerth(['restart', 'edge'])
    expect((await load.stop()).failures).toEqual([])
    await cluster.mustBerth(['rm', 'edge', '-y'])
  })

  it('what is in a bridge of its node’s is reached at the node, by names and the gateway, and reaches everything', async () => {
    const files = webApp({ app: 'vault', replicas: 2, extra: 'rollout: {surge: 0, unavailable: 1}' })
    const yaml = (files['berth.yaml'] ?? '')
      .replace('http: 8080', 'http: {port: 8080, hostPort: 8070}')
      .replace('    cpu:', '    network: bridge\n    cpu:')
    const repository = await cluster.repository('vault', { ...files, 'berth.yaml': yaml })
    await cluster.mustBerth(['deploy', 'vault', '--repository', repository.path])
    const all = (await cluster.client.list('listInstances', { query: { app: 'vault' } })).items
    const [first, second] = cluster.lab.hosts
    const byNode = Object.fromEntries(all.map(({ node, address, network }) => [node, { address, network }]))
    expect(byNode).toEqual({
      h1: { address: first?.address, network: 'bridge' },
      h2: { address: second?.address, network: 'bridge' },
    })
    const shop = (await cluster.client.list('listInstances', { query: { app: 'shop' } })).items
    // Each way between machines, and on one machine.
    for (const guest of all)
      for (const host of ['h1', 'h2']) {
        const other = shop.find(({ node }) => node === host)
        const there = `http://${guest.name}.production.vault.berth:8070/`
        expect((await cluster.mustBerth(['exec', other?.id ?? '', 'wget', '-q', '-O', '-', there])).stdout).toContain(
          guest.id,
        )
        const back = `http://${other?.name}.production.shop.berth:8080/`
        expect((await cluster.mustBerth(['exec', guest.id, 'wget', '-q', '-O', '-', back])).stdout).toContain(other?.id)
      }
    const seen = new Set<string>()
    const load = startLoad(`${cluster.gatewayUrl}/`, {
      host: 'vault.test',
      connections: 2,
      onBody: (body) => seen.add(JSON.parse(body).instance),
    })
    await until('both to answer', () => seen.size === 2)
    await cluster.mustBerth(['restart', 'vault'])
    expect((await load.stop()).failures).toEqual([])
    const nodes = (await cluster.client.list('listNodes')).items
    expect(nodes.map(({ dockerNetworks }) => dockerNetworks)).toEqual([['bridge'], ['bridge']])
    await cluster.mustBerth(['rm', 'vault', '-y'])
  })

  it('an instance is put into another network of its node and taken out of it while it runs', async () => {
    const all = (await cluster.client.list('listInstances', { query: { app: 'shop' } })).items
    const [one, other] = all.filter(({ node }) => node === 'h2')
    const [, second] = cluster.lab.hosts
    const docker = async (...args: string[]) => await second?.exec(['docker', 'network', ...args])
    const refused = await cluster.berth(['net', 'attach', one?.id ?? '', 'storage'])
    expect(refused.stderr).toContain('h2 has no such Docker network, it has bridge; make it there')
    await docker('create', '--subnet', '192.168.71.0/24', 'storage')
    await until('the node to say so', async () => {
      const { items } = await cluster.client.list('listNodes')
      return items.some(({ dockerNetworks }) => dockerNetworks?.includes('storage') === true)
    })
    await cluster.mustBerth(['net', 'attach', one?.id ?? '', 'storage', '--ip', '192.168.71.20'])
    await cluster.mustBerth(['net', 'attach', other?.id ?? '', 'storage'])
    const networksOf = async (id = '') => (await cluster.client.call('getInstance', { params: { id } })).networks
    await until('both to be in it', async () => (await networksOf(other?.id))?.[0]?.address !== undefined)
    await until(
      'the address that was asked for',
      async () => (await networksOf(one?.id))?.[0]?.address === '192.168.71.20',
    )
    const there = ['exec', other?.id ?? '', 'wget', '-q', '-O', '-', 'http://192.168.71.20:8080/']
    expect((await cluster.mustBerth(there)).stdout).toContain(one?.id)
    expect((await cluster.mustBerth(['ps', 'shop', '-o', 'wide'])).stdout).toContain('storage 192.168.71.20')
    for (const each of [one, other]) await cluster.mustBerth(['net', 'detach', each?.id ?? '', 'storage'])
    await until('nobody to be in it', async () => (await docker('rm', 'storage'))?.code === 0)
    const after = (await cluster.client.list('listInstances', { query: { app: 'shop' } })).items
    expect(after.map(({ id, restarts, ready }) => [id, restarts, ready])).toEqual(all.map(({ id }) => [id, 0, true]))
  })

  it('a port of a node leads to one of its instances while it runs, from another machine too', async () => {
    const [first, second] = cluster.lab.hosts
    const all = (await cluster.client.list('listInstances', { query: { app: 'shop' } })).items
    const [one, other] = all.filter(({ node }) => node === 'h2')
    const ask = async () =>
      (await first?.exec(['curl', '-s', '-m', '2', `http://${second?.address}:9000/`]))?.stdout ?? ''
    expect(await ask()).toBe('')
    await cluster.mustBerth(['publish', one?.id ?? '', '9000:8080'])
    await until('an answer', async () => (await ask()).includes(one?.id ?? ''))
    const refused = await cluster.berth(['publish', other?.id ?? '', '9000:8080'])
    expect(refused.stderr).toContain(`port 9000 of h2 is that of ${one?.id}`)
    const program = await second?.spawn(['busybox', 'nc', '-l', '-p', '9001'])
    const listens = async () => (await second?.exec(['ss', '-ltn', 'sport = :9001']))?.stdout.includes('LISTEN')
    await until('a program of the machine', listens)
    const heard = await cluster.berth(['publish', one?.id ?? '', '9001:8080'])
    expect(heard.stderr).toContain('a program of h2 itself listens at port 9001')
    program?.kill('SIGKILL')
    await cluster.mustBerth(['unpublish', one?.id ?? '', '9000'])
    await until('no answer', async () => (await ask()) === '')
  })

  it('labels change at once, and a cordoned node gets nothing new', async () => {
    await cluster.mustBerth(['node', 'label', 'h2', 'disk=ssd'])
    await cluster.mustBerth(['node', 'cordon', 'h2'])
    const [, second] = (await cluster.mustBerth(['node', 'ls', '-o', 'json'])).json<NodeView[]>()
    expect(second).toMatchObject({ labels: { disk: 'ssd' }, schedulable: false })
    await cluster.mustBerth(['scale', 'shop/web', '6'])
    await until(
      'six',
      async () =>
        (await cluster.client.list('listInstances', { query: { app: 'shop' } })).items.filter(
          (each) => each.ready && each.node === 'h1',
        ).length === 4,
    )
  })

  it('comes back after a power cut by berth up, as the node that it was', async () => {
    const second = cluster.lab.host('h2')
    const before = (await cluster.containers(second)).map(({ name }) => name)
    expect(before).not.toEqual([])
    const up = await cluster.reboot(second)
    expect(up.stderr).toMatch(/h2 goes on as a node of the cluster that it has joined/)
    expect(up.stdout).toBe('')
    await until('its containers', async () => {
      const now = (await cluster.containers(second)).map(({ name }) => name)
      return before.every((name) => now.includes(name))
    })
    await until(
      'it to be online',
      async () => (await cluster.client.call('getNode', { params: { name: 'h2' } })).online,
    )
    expect((await cluster.mustBerth(['server', 'ls'])).stdout).not.toMatch(/h2/)
  })
})
