import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type {
  AddressCheck,
  AddressPoolView,
  AddressView,
  InstanceView,
  NodeView,
  OneAddress,
} from '../packages/api/src/index.ts'
import { containsAddress, parseBlock } from '../packages/core/src/index.ts'
import { webApp } from './support/apps.ts'
import { Cluster } from './support/cluster.ts'
import { startLoad, until } from './support/load.ts'

/** Machines in routed mode whose blocks are small: 12 addresses for instances in the first, 13 in each other. All instances are on the second machine. */
let cluster: Cluster
let range = ''

const hostAt = (index: number) => {
  const host = cluster.lab.hosts[index]
  if (host === undefined) throw new Error('a lab of three has three hosts')
  return host
}
const second = () => hostAt(1)
/** It lends. */
const third = () => hostAt(2)
const instances = async (): Promise<readonly InstanceView[]> =>
  (await cluster.client.list('listInstances', { query: { app: 'shop' } })).items
const ready = async (count: number): Promise<readonly InstanceView[]> =>
  await until(
    `${count} in traffic`,
    async () => {
      const all = await instances()
      return all.length === count && all.every((each) => each.inTraffic) && all
    },
    120_000,
  )
const node = async (): Promise<NodeView> => await cluster.client.call('getNode', { params: { name: 'h2' } })
const nodeBlocks = async (name: string): Promise<readonly string[]> => {
  const { block = '', furtherBlocks = [] } = (await pool()).nodes.find((each) => each.name === name) ?? {}
  return [block, ...furtherBlocks]
}
const pool = async (): Promise<AddressPoolView> =>
  await cluster.client.call('getAddressPool', { params: { name: 'small' } })
const furtherBlock = async (): Promise<string> => {
  const [further] = (await node()).furtherBlocks ?? []
  if (further === undefined) throw new Error('h2 has one block')
  return further.block
}
const isIn = (block: string, { address = '' }: Pick<InstanceView, 'address'>): boolean =>
  containsAddress(parseBlock(block), address)
const routes = async (host: typeof cluster.first, ...which: string[]): Promise<string> =>
  (await host.exec(['ip', 'route', 'show', ...which])).stdout
/** From the first machine, or another. */
const isReached = async ({ address }: Pick<InstanceView, 'address'>, from = cluster.first): Promise<boolean> => {
  const { code } = await from.exec(['timeout', '3', 'curl', '-sf', '-m', '3', `http://${address}:8080/`])
  return code === 0
}
const allReached = async (): Promise<void> => {
  for (const each of await instances()) await until(`${each.id} to be reached`, () => isReached(each))
}
/** A connection from inside the one to the other. */
const reaches = async (from: InstanceView, to: InstanceView, seconds = 3): Promise<boolean> => {
  const argv = ['exec', from.id, 'timeout', `${seconds}`, 'wget', '-q', '-O', '-', `http://${to.address}:8080/ip`]
  return (await cluster.berth(argv)).stdout.includes(from.address ?? 'no address')
}

beforeAll(async () => {
  cluster = await Cluster.start({ hosts: 3, beforeUp: async () => ['--network', 'routed'] })
  range = cluster.lab.containerPool.replace(/^10\.1(\d\d)\.0\.0\/16$/, '10.2$1.0.0/26')
  const small = ['--block-size', '28', '--site', 'annex', '--return-after', '3s']
  await cluster.mustBerth(['ip', 'pool', 'add', 'small', range, ...small])
  for (const host of [second(), third()]) await cluster.join(host, ['--network', 'routed', '--label', 'site=annex'])
  await until('all online', async () => {
    const { items } = await cluster.client.list('listNodes')
    return items.filter((each) => each.online && each.network?.driver === 'routed').length === 3
  })
  const files = webApp({ replicas: 4, entrypointExtra: "    placement:\n      where: ['site = annex', 'node = h2']" })
  const yaml = files['berth.yaml']?.replace('cpu: 0.1', 'cpu: 0.01').replace('128Mi', '64Mi') ?? ''
  const repository = await cluster.repository('shop', { ...files, 'berth.yaml': yaml })
  await cluster.mustBerth(['deploy', 'shop', '--repository', repository.path])
  await ready(4)
})
afterAll(() => cluster[Symbol.asyncDispose]())

it('a machine whose block is used up gets another one, whose instances are reached, named and guarded as the others', async () => {
  expect((await node()).furtherBlocks).toBeUndefined()
  await cluster.mustBerth(['scale', 'shop/web', '16'])
  const all = await ready(16)
  const block = await furtherBlock()
  await until('it to be in force', async () => (await node()).network?.blocks?.join() === block)
  expect(all.filter((each) => isIn(block, each)).length).toBeGreaterThanOrEqual(4)
  expect((await cluster.mustBerth(['node', 'show', 'h2'])).stdout).toContain(`${(await node()).block}, ${block}`)
  expect((await cluster.mustBerth(['ip', 'pool', 'show', 'small'])).stdout).toMatch(/3 of 4 taken/)
  const way = `${block} via ${second().address}`
  await until('the first to know the way', async () => (await routes(cluster.first, 'proto', '77')).includes(way))
  expect(await routes(second(), 'proto', '78')).toContain(`unreachable ${block}`)
  await allReached()

  const seen = new Set<string>()
  const load = startLoad(`${cluster.gatewayUrl}/`, {
    host: 'shop.test',
    connections: 4,
    onBody: (body) => seen.add(JSON.parse(body).instance),
  })
  await until('all of them to answer', () => seen.size === 16)
  expect((await load.stop()).failures).toEqual([])

  const [inFirst, other] = all.filter((each) => !isIn(block, each))
  const [inSecond] = all.filter((each) => isIn(block, each))
  if (inFirst === undefined || other === undefined || inSecond === undefined) throw new Error('both blocks are in use')
  const name = `${inSecond.name}.production.shop.berth`
  const byName = ['exec', inFirst.id, 'wget', '-q', '-O', '-', `http://${name}:8080/ip`]
  expect((await cluster.mustBerth(byName)).stdout).toContain(inFirst.address)
  const reverse = await cluster.mustBerth(['exec', inFirst.id, 'nslookup', inSecond.address ?? ''])
  expect(reverse.stdout).toContain(name)
  const shown = (await cluster.mustBerth(['ip', 'show', inSecond.address ?? '', '-o', 'json'])).json<OneAddress>()
  expect(shown).toMatchObject({ kind: 'instance', instance: inSecond.id, node: 'h2', block, pool: 'small' })

  const path = join(cluster.dir, 'default.json')
  writeFileSync(
    path,
    JSON.stringify({ name: 'default', inbound: [`tcp:8080 from ${inSecond.address}/32`], outbound: ['allow'] }),
  )
  await cluster.mustBerth(['profile', 'apply', path])
  await until('the rules to hold', async () => !(await reaches(inFirst, other)))
  expect(await Promise.all([reaches(inSecond, inFirst, 15), reaches(inFirst, inSecond)])).toEqual([true, false])
  await cluster.mustBerth(['profile', 'rm', 'default', '-y'])
  await until('everybody to be called again', () => reaches(inFirst, inSecond))
})

it('with no block left for it, it borrows single addresses of another machine, which are used by nobody there', async () => {
  await cluster.mustBerth(['ip', 'pool', 'set', 'small', '--blocks-per-node', '2'])
  await cluster.mustBerth(['scale', 'shop/web', '27'])
  const all = await ready(27)
  const [lent = '', ...none] = await nodeBlocks('h3')
  expect(none).toEqual([])
  const loans = all.filter((each) => isIn(lent, each))
  expect(loans).toHaveLength(2)
  for (const host of [cluster.first, third()])
    for (const { address } of loans) {
      const way = `${address} via ${second().address}`
      await until(`${host.name} to know the way`, async () => (await routes(host, 'proto', '77')).includes(way))
    }
  await allReached()
  // A container that is started by hand where they are of gets another one, and reaches them.
  const [loan] = loans
  const fetched = `fetch('http://${loan?.address}:8080/ip').then((answer) => answer.text()).then(console.log)`
  const byHand = ['docker', 'run', '--rm', '--network', 'berth', 'berth/node:local', 'node', '-e', fetched]
  const { code, stdout, stderr } = await third().exec(byHand)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  const own = /\d+\.\d+\.\d+\.\d+/.exec(stdout)?.[0] ?? ''
  expect(containsAddress(parseBlock(lent), own)).toBe(true)
  expect(loans.map(({ address }) => address)).not.toContain(own)
  const refused = await third().exec([
    'docker',
    'run',
    '--rm',
    '--network',
    'berth',
    '--ip',
    loan?.address ?? '',
    'berth/node:local',
    'true',
  ])
  expect([refused.code, refused.stderr]).toEqual([
    125,
    expect.stringMatching(/is not for containers that are started by hand/),
  ])

  const listed = (await cluster.mustBerth(['ip', 'ls', '--node', 'h3', '-o', 'json'])).json<AddressView[]>()
  expect(
    listed
      .filter(({ lender }) => lender === 'h3')
      .map(({ node, address }) => [node, address])
      .sort(),
  ).toEqual(loans.map(({ address }) => ['h2', address]).sort())
  const shown = await cluster.mustBerth(['ip', 'show', loan?.address ?? ''])
  expect(shown.stdout).toMatch(/lent by +h3 to h2/)
  expect((await cluster.mustBerth(['ip', 'pool', 'show', 'small'])).stdout).toMatch(/h2 .* 2 +0\n/)
  expect((await node()).problems).toEqual([expect.stringContaining('borrows single addresses of other nodes')])
})

it('both blocks and what is borrowed hold while agent, netd and dockerd are killed, and by BGP', async () => {
  const block = await furtherBlock()
  const [lent = ''] = await nodeBlocks('h3')
  const host = second()
  for (const name of ['netd', 'agent'] as const) process.kill(await cluster.pidOf(name, host), 'SIGKILL')
  await host.killDockerd()
  await allReached()
  await host.startDockerd()
  await until(
    'nothing to differ',
    async () => {
      const { findings, silent } = (await cluster.berth(['ip', 'check', '-o', 'json'])).json<AddressCheck>()
      return findings.length === 0 && silent.length === 0
    },
    120_000,
  )
  const loans = (await ready(27)).filter((each) => isIn(lent, each))
  await allReached()

  await cluster.mustBerth(['net', 'set', '--routes', 'bgp', '--yes'])
  await until('it to be learned', async () => (await routes(cluster.first, 'table', '77')).includes(`${block} via`))
  await until('no static route', async () => (await routes(cluster.first, 'proto', '77')) === '')
  expect(loans).toHaveLength(2)
  for (const { address } of loans) expect(await routes(cluster.first, 'table', '77')).toContain(`${address} via`)
  await allReached()
  await cluster.mustBerth(['net', 'set', '--routes', 'static', '--yes'])
  await until('static routes', async () => (await routes(cluster.first, 'proto', '77')).includes(`${block} via`))
  await allReached()
})

it('a block that is empty is given back when the machine has said so, and its routes go', async () => {
  const block = await furtherBlock()
  await cluster.mustBerth(['scale', 'shop/web', '0'])
  await until('the return', async () => (await node()).furtherBlocks === undefined, 90_000)
  for (const host of cluster.lab.hosts)
    await until('no route to it', async () => !(await routes(host)).includes(block), 60_000)
  const { lent } = (await pool()).nodes.find(({ name }) => name === 'h3') ?? {}
  expect(lent).toBeUndefined()
  await until('it to be out of force', async () => (await node()).network?.blocks?.length === 0)
  await cluster.mustBerth(['scale', 'shop/web', '3'])
  for (const each of await ready(3)) {
    expect(isIn((await node()).block, each)).toBe(true)
    await until(`${each.id} to be reached`, () => isReached(each))
  }
  const { items } = await cluster.client.list('listEvents', { query: { limit: 1_000 } })
  expect(items.map(({ type }) => type)).toEqual(expect.arrayContaining(['node.block-added', 'node.block-returned']))
})

it('their pool gets IPv6 while instances run: those go on without, and those that replace them have it and tell it', async () => {
  const [before] = await ready(3)
  await cluster.mustBerth(['ip', 'pool', 'set', 'small', '--ipv6', 'fd77:9::/64'])
  const name = 'web.production.shop.berth'
  const byIpv6 = (id = '') => cluster.berth(['exec', id, 'nslookup', '-type=aaaa', name])
  await until('the word', async () => (await node()).block6 !== undefined)
  expect((await instances()).map(({ address6 }) => address6)).toEqual([undefined, undefined, undefined])
  expect((await byIpv6(before?.id)).stdout).not.toContain('fd77:9::')
  await allReached()
  await cluster.mustBerth(['restart', 'shop'])
  await until(
    'others',
    async () => (await instances()).every(({ generation }) => generation !== before?.generation),
    60_000,
  )
  const after = await ready(3)
  const [from, to] = after
  for (const { address6 } of after) expect(address6).toMatch(/^fd77:9::/)
  await until('the names', async () => (await byIpv6(from?.id)).stdout.includes(to?.address6 ?? 'none'))
  const fetched = `fetch('http://[${to?.address6}]:8080/ip').then((answer) => answer.text()).then(console.log)`
  expect((await cluster.mustBerth(['exec', from?.id ?? '', 'node', '-e', fetched])).stdout).toContain(from?.address6)
  expect((await cluster.mustBerth(['ip', 'pool', 'show', 'small'])).stdout).toMatch(
    /IPv6 .*have none until they are replaced/,
  )
})
