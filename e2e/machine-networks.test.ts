import { afterAll, beforeAll, expect, it } from 'vitest'
import type { InstanceView, LanView } from '../packages/api/src/index.ts'
import { webApp } from './support/apps.ts'
import { Cluster } from './support/cluster.ts'
import { startLoad, until } from './support/load.ts'

/** Networks that machines are on already, on two of them: a macvlan, and a flat one of the only interface that a machine has. */
let cluster: Cluster

beforeAll(async () => {
  cluster = await Cluster.start({ hosts: 2 })
  await cluster.join(second())
  await cluster.untilOnline(2)
})
afterAll(() => cluster?.[Symbol.asyncDispose]())

function second() {
  const [, host] = cluster.lab.hosts
  if (host === undefined) throw new Error('a lab of two has two hosts')
  return host
}
const view = async (name: string): Promise<LanView> =>
  (await cluster.mustBerth(['net', 'inspect', name, '-o', 'json'])).json<LanView>()
const ready = (name: string, count: number) =>
  until(`${count} to have ${name}`, async () => {
    const { nodes } = await view(name)
    return nodes.length === count && nodes.every(({ state }) => state === 'ready')
  })
const instances = async () => (await cluster.client.list('listInstances', { query: { app: 'shop' } })).items
const addressOf = (networks: { name: string; address?: string | undefined }[] | undefined, name: string): string =>
  networks?.find((each) => each.name === name)?.address ?? ''
const deploy = async (networks: string) => {
  const files = webApp({ replicas: 4, entrypointExtra: `    networks: ${networks}` })
  const repository = await cluster.repository('shop', files)
  await cluster.mustBerth(['deploy', 'shop', '--repository', repository.path])
}

/** An app whose only network it is: `members` are instances of the cluster's network. */
async function onlyThere(members: readonly InstanceView[]): Promise<void> {
  // As machines are that use such a network: in it themselves.
  for (const [index, host] of cluster.lab.hosts.entries())
    expect((await host.exec(['ip', 'address', 'add', `192.168.73.${index + 2}/24`, 'dev', 'eth0'])).code).toBe(0)
  const files = webApp({ app: 'solo', replicas: 2, entrypointExtra: '    network: lan:lan' })
  const repository = await cluster.repository('solo', files)
  await cluster.mustBerth(['deploy', 'solo', '--repository', repository.path])
  const solo = await until('both to be ready', async () => {
    const { items } = await cluster.client.list('listInstances', { query: { app: 'solo' } })
    return items.length === 2 && items.every((each) => each.inTraffic) && items
  })
  expect(solo.map(({ node }) => node).sort()).toEqual(['h1', 'h2'])
  for (const { node, address, network } of solo) {
    expect(network).toBe('lan:lan')
    expect(address).toMatch(node === 'h1' ? /^192\.168\.73\.1(28|29|3[0-5])$/ : /^192\.168\.73\.1(3[6-9]|4[0-3])$/)
  }
  // The gateway of h1 reaches its own by their link, and those of h2 by the network.
  const seen = new Set<string>()
  const load = startLoad(`${cluster.gatewayUrl}/`, {
    host: 'solo.test',
    connections: 2,
    onBody: (body) => seen.add(JSON.parse(body).instance),
  })
  await until('both to answer', () => seen.size === 2)
  expect((await load.stop()).failures).toEqual([])
  // By name, from instances of the cluster's network on both machines, to both.
  for (const { name, id } of solo)
    for (const node of ['h1', 'h2']) {
      const from = members.find((each) => each.node === node)
      const url = `http://${name}.production.solo.berth:8080/`
      // Each machine hears of names by itself.
      await until(`${node} to reach ${name}`, async () => {
        const { stdout } = await cluster.berth(['exec', from?.id ?? '', 'timeout', '5', 'wget', '-q', '-O', '-', url])
        return stdout.includes(id)
      })
    }
  // They have names themselves, and no way into the cluster's network that goes by their node.
  const [own] = solo
  const member = members.find(({ node }) => node === own?.node)
  const look = `require('node:dns').promises.resolve4('${member?.name}.production.shop.berth').then((all) => console.log(all.join()))`
  const named = await cluster.mustBerth(['exec', own?.id ?? '', 'node', '-e', look])
  expect(named.stdout.trim()).toBe(member?.address)
  const call = ['exec', own?.id ?? '', 'timeout', '2', 'wget', '-q', '-O', '-', `http://${member?.address}:8080/`]
  expect((await cluster.berth(call)).stdout).toBe('')
  // A container that is killed comes back, under whatever address it is given then.
  const host = cluster.lab.hosts.find(({ name }) => name === own?.node) ?? cluster.first
  expect((await host.exec(['docker', 'kill', own?.id ?? ''])).code).toBe(0)
  await until('it to be back', async () => {
    const { items } = await cluster.client.list('listInstances', { query: { app: 'solo' } })
    return items.every((each) => each.inTraffic) && items.some(({ restarts }) => restarts === 1)
  })
  const again = new Set<string>()
  const more = startLoad(`${cluster.gatewayUrl}/`, {
    host: 'solo.test',
    connections: 2,
    onBody: (body) => again.add(JSON.parse(body).instance),
  })
  await until('both to answer again', () => again.size === 2)
  expect((await more.stop()).failures).toEqual([])
  await cluster.mustBerth(['rm', 'solo', '-y'])
  await until(
    'it to go',
    async () => (await cluster.client.list('listInstances', { query: { app: 'solo' } })).items.length === 0,
  )
}

it('a macvlan gives instances of both machines addresses of one layer 2, none of them twice', async () => {
  const create = ['net', 'create', 'lan', '--parent', 'eth0', '--subnet', '192.168.73.0/24', '--range']
  const refused = await cluster.berth([...create, '192.168.74.0/28'])
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('is not part of 192.168.73.0/24')])
  await cluster.mustBerth([...create, '192.168.73.128/28', '--slice-size', '29'])
  await ready('lan', 2)
  await deploy('[lan]')
  const all = await instances()
  expect(all.map(({ node }) => node).sort()).toEqual(['h1', 'h1', 'h2', 'h2'])
  const addresses = all.map(({ networks }) => addressOf(networks, 'lan'))
  expect(new Set(addresses).size).toBe(4)
  const { nodes } = await view('lan')
  expect(nodes.map(({ name, slice }) => [name, slice])).toEqual([
    ['h1', '192.168.73.128/29'],
    ['h2', '192.168.73.136/29'],
  ])
  for (const one of all)
    for (const other of all.filter(({ node }) => node !== one.node)) {
      const there = `http://${addressOf(other.networks, 'lan')}:8080/`
      const { stdout } = await cluster.mustBerth(['exec', one.id, 'wget', '-q', '-O', '-', there])
      expect(stdout).toContain(other.id)
    }
  await onlyThere(all)
  const inUse = await cluster.berth(['net', 'rm', 'lan', '-y'])
  expect([inUse.code, inUse.stderr]).toEqual([1, expect.stringContaining('shop/production/web')])
  expect((await cluster.mustBerth(['net', 'ls'])).stdout).toMatch(
    /^lan +macvlan +eth0 +192\.168\.73\.0\/24 +2\/2 +4 +-$/m,
  )
  await deploy('[]')
  await until('nobody to be in it', async () => (await view('lan')).instances === 0)
  await cluster.mustBerth(['net', 'rm', 'lan', '-y'])
  for (const host of cluster.lab.hosts)
    await until('its Docker network to go', async () => {
      const { stdout } = await host.exec(['docker', 'network', 'ls', '--format', '{{.Name}}'])
      return !stdout.split('\n').includes('lan')
    })
})

it('a flat network moves the only address of a machine, which serves and is reached on, also after a reboot', async () => {
  const host = second()
  /** Links that have the machine's own address. */
  const bearers = async () =>
    (await host.exec(['ip', '-4', '-br', 'address'])).stdout
      .split('\n')
      .filter((line) => line.includes(` ${host.address}/24`))
      .map((line) => line.split(/[@ ]/)[0])
  const isOn = async (link: string) => (await bearers()).join() === link
  const before = await instances()
  const subnet = cluster.lab.subnet
  const range = subnet.replace('.0/24', '.128/26')
  const gateway = subnet.replace('.0/24', '.254')
  await cluster.mustBerth(['node', 'label', 'h2', 'flat=yes'])
  const options = [
    '--parent',
    'eth0',
    '--subnet',
    subnet,
    '--gateway',
    gateway,
    '--range',
    range,
    '--label',
    'flat=yes',
  ]
  await cluster.mustBerth(['net', 'create', 'office', '--mode', 'flat', ...options])
  await ready('office', 1)
  expect(await bearers()).toEqual(['flat-eth0'])
  const there = before.find(({ node }) => node === 'h2')
  await cluster.mustBerth(['net', 'attach', there?.id ?? '', 'office'])
  const attached = async () => addressOf((await instances()).find(({ id }) => id === there?.id)?.networks, 'office')
  await until('its address there', async () => (await attached()) !== '')
  // From another machine of that subnet, and by the cluster's network as before.
  const ask = async (url: string) => (await cluster.first.exec(['busybox', 'wget', '-q', '-O', '-', url])).stdout
  expect(await ask(`http://${await attached()}:8080/`)).toContain(there?.id)
  expect(await ask(`http://${there?.address}:8080/`)).toContain(there?.id)
  expect((await instances()).map(({ id, restarts }) => [id, restarts])).toEqual(before.map(({ id }) => [id, 0]))
  const files = webApp({ app: 'solo', replicas: 1, entrypointExtra: '    network: lan:office' })
  const repository = await cluster.repository('solo', files)
  await cluster.mustBerth(['deploy', 'solo', '--repository', repository.path])
  const call = ['busybox', 'wget', '-q', '-O', '-', '--header', 'Host: solo.test', cluster.gatewayUrl]
  const served = async () => (await cluster.first.exec(call)).stdout
  const solo = await until('it to be served', async () => {
    const { items } = await cluster.client.list('listInstances', { query: { app: 'solo' } })
    return items[0]?.inTraffic === true && (await served()).includes(items[0].id) && items[0]
  })
  expect([solo.node, solo.address?.startsWith(subnet.replace('0/24', ''))]).toEqual(['h2', true])
  await host.reboot()
  await cluster.mustBerth(['up'], { host })
  await until('it to be back', async () => (await view('office')).nodes[0]?.state === 'ready', 120_000)
  await until('its address', () => isOn('flat-eth0'), 120_000)
  await until(
    'an answer',
    async () => (await ask(`http://${await attached()}:8080/`)).includes(there?.id ?? '-'),
    120_000,
  )
  await until('it to be served again', async () => (await served()).includes(solo.id), 120_000)
  await cluster.mustBerth(['rm', 'solo', '-y'])
  await cluster.mustBerth(['net', 'detach', there?.id ?? '', 'office'])
  await until('both to be out', async () => (await view('office')).instances === 0)
  await cluster.mustBerth(['net', 'rm', 'office', '-y'])
  await until('the address to be back', () => isOn('eth0'), 60_000)
  expect(await ask(`http://${there?.address}:8080/`)).toContain(there?.id)
})
