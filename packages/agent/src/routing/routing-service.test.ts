import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { BerthError } from '@berth/core'
import { describe, expect, it } from 'vitest'
import { waitUntil } from '../testing/wait-until.ts'
import { RoutedCluster } from './routed-cluster.testing.ts'
import type { RoutedNode } from './routed-node.testing.ts'

const membersOf = ({ nodes: [first, second, third] }: RoutedCluster) =>
  ({ first, second, third }) as Record<'first' | 'second' | 'third', RoutedNode>

// Each has machines of its own, and waits most of its time for BIRD.
describe.concurrent('routes', () => {
  it('goes from static routes to BGP and back without a lost packet, one node after the other', {
    timeout: 90_000,
  }, async () => {
    await using cluster = await RoutedCluster.switched(2)
    const { first, second } = membersOf(cluster)
    for (const node of cluster.nodes) await node.checkStatic()
    const there = first.lost(second, 500)
    const back = second.lost(first, 500)
    await cluster.tell({ only: [first] })
    await cluster.tell({ only: [second] })
    await cluster.whole()
    await cluster.learnedAll()
    for (const node of cluster.nodes) await node.checkStatic()
    expect([await first.statics(), await second.statics()]).toEqual([[], []])
    expect([await there, await back]).toEqual([0, 0])

    const again = [first.lost(second, 500), second.lost(first, 500)]
    await cluster.tell({ mode: 'static', only: [first] })
    await waitUntil('the first to have retired', async () => (await first.birdPid()) === undefined)
    // The second has not heard yet: what it has learned from the first stays.
    expect(Object.keys(await second.learned())).toEqual(['10.77.1.0/24'])
    await cluster.tell({ mode: 'static' })
    await waitUntil('the second to have retired', async () => (await second.birdPid()) === undefined)
    expect(await Promise.all(again)).toEqual([0, 0])
    expect([await first.statics(), await second.statics()]).toEqual([['10.77.2.0/24'], ['10.77.1.0/24']])
    expect(await first.host.ip('rule', 'show')).not.toContain('lookup 77')
    expect(await first.learned()).toEqual({})
  })

  it('loses no packet when BIRD is killed, and starts it again; an agent that ends leaves it alone', {
    timeout: 90_000,
  }, async () => {
    await using cluster = await RoutedCluster.switched(2)
    const { first, second } = membersOf(cluster)
    await cluster.tell({})
    await cluster.whole()
    await cluster.learnedAll()
    await first.service[Symbol.asyncDispose]()
    const before = await first.birdPid()
    first.service = first.makeService()
    await first.service.resume()
    await waitUntil('the next agent to see it', () => first.isWhole())
    expect(await first.birdPid()).toBe(before)

    const lost = [first.lost(second, 400), second.lost(first, 400)]
    process.kill(before as number, 'SIGKILL')
    await waitUntil('another BIRD', async () => ((await first.birdPid()) ?? before) !== before)
    await cluster.whole()
    expect(await Promise.all(lost)).toEqual([0, 0])
    expect(await second.learned()).toEqual({ '10.77.1.0/24': '10.9.0.1' })
  })

  it('reaches nodes in other networks through a router, tells a link that was cut, and mends by itself', {
    timeout: 150_000,
  }, async () => {
    await using cluster = await RoutedCluster.routed(3)
    const { first, second, third } = membersOf(cluster)
    const numbers = [1, 2, 3]
    const password = (number: number): string => (number === 1 ? 'password "geheim 1";' : '')
    await cluster.speakInTheMiddle(
      numbers
        .map(
          (n) =>
            `protocol bgp { local 10.${n}.0.254 as 65000; neighbor 10.${n}.0.1 as 64512; ${password(n)} hold time 9; ipv4 { import all; export all; }; }`,
        )
        .join('\n'),
    )
    const peers = numbers.map((n) => ({
      ...{ name: `r${n}`, address: `10.${n}.0.254`, as: 65_000, label: { name: 'net', value: String(n) } },
      ...(n === 1 ? { password: 'geheim 1' } : {}),
    }))
    const told = { peers, labels: ({ number }: { readonly number: number }) => ({ net: String(number) }) }
    await cluster.tell(told)
    await cluster.whole()
    await cluster.learnedAll()
    for (const from of cluster.nodes) {
      for (const to of cluster.nodes) if (from !== to) expect(await from.lost(to, 3)).toBe(0)
    }
    // Straight to the node through the router, not through another node.
    expect(await first.learned()).toEqual({ '10.77.2.0/24': '10.1.0.254', '10.77.3.0/24': '10.1.0.254' })
    // The router has each block from who has it, although reflectors tell all of them.
    const routes = JSON.parse(await cluster.middle.ip('-json', 'route', 'show', 'proto', 'bird')) as {
      dst: string
      gateway: string
    }[]
    expect(Object.fromEntries(routes.map(({ dst, gateway }) => [dst, gateway]))).toEqual({
      ...{ '10.77.1.0/24': '10.1.0.1', '10.77.2.0/24': '10.2.0.1', '10.77.3.0/24': '10.3.0.1' },
    })

    await cluster.middle.ip('link', 'set', 'port3', 'down')
    await waitUntil('it to be noticed', async () => !('10.77.3.0/24' in (await first.learned())), 60_000)
    await waitUntil(
      'it to be told',
      () => first.problem?.includes('no BGP session with node n3 (10.3.0.1) since 20'),
      60_000,
    )
    expect(await first.lost(second, 3)).toBe(0)
    const report = await first.service.report({ signal: AbortSignal.timeout(5_000) })
    expect(report.sessions.find(({ name }) => name === 'n3')).toMatchObject({ up: false, with: 'node', learned: 0 })
    expect(report.sessions.find(({ name }) => name === 'n2')).toMatchObject({ up: true, learned: 1 })
    expect(report.routes).toEqual([
      { block: '10.77.2.0/24', kind: 'bgp', from: 'n2', reachable: true, via: '10.1.0.254', device: 'eth0' },
    ])

    await cluster.middle.ip('link', 'set', 'port3', 'up')
    await cluster.whole(60_000)
    await cluster.learnedAll()
    expect(await third.lost(first, 3)).toBe(0)
  })

  it('passes routes on by reflectors over two sites of their own numbers, and from there to a mesh without a lost packet', {
    timeout: 120_000,
  }, async () => {
    await using cluster = await RoutedCluster.switched(5)
    const { second, third } = membersOf(cluster)
    const labels = ({ number }: { readonly number: number }) => ({ site: number < 4 ? 'paris' : 'rome' })
    const settings = { sites: { paris: 64_601, rome: 64_602 }, reflectors: 1 }
    await cluster.tell({ labels, settings: { ...settings, meshUpTo: 2 } })
    await cluster.whole()
    await cluster.learnedAll()
    // Nodes 3 and 5 speak with the reflectors 1 and 4 alone, and send straight to each other.
    expect(third.service.summary).toMatchObject({ sessions: 1 })
    expect(await third.learned()).toMatchObject({ '10.77.5.0/24': '10.9.0.5', '10.77.2.0/24': '10.9.0.2' })
    expect(await cluster.nodes[4]?.learned()).toMatchObject({ '10.77.3.0/24': '10.9.0.3' })

    const lost = [third.lost(cluster.nodes[4] as RoutedNode, 400), third.lost(second, 400)]
    await cluster.tell({ labels, settings: { ...settings, meshUpTo: 50 } })
    await waitUntil('a mesh', () => third.service.summary?.up === 4)
    await cluster.tell({ labels, settings: { ...settings, meshUpTo: 2 } })
    await waitUntil('one session again', () => third.service.summary?.sessions === 1)
    expect(await Promise.all(lost)).toEqual([0, 0])
  })

  it('keeps passwords out of what others may read', { timeout: 60_000 }, async () => {
    await using cluster = await RoutedCluster.switched(1)
    const { first } = membersOf(cluster)
    const peers = [{ name: 'core', address: '10.9.0.250', as: 65_000, password: 'geheim 2' }]
    await cluster.tell({ peers })
    const run = join(first.dir, 'run')
    await waitUntil('BIRD', async () => (await first.birdPid()) !== undefined)
    expect(await readFile(join(run, 'bird.conf'), 'utf8')).toContain('password "geheim 2"')
    expect((await stat(run)).mode & 0o777).toBe(0o700)
    expect((await stat(join(run, 'bird.conf'))).mode & 0o777).toBe(0o600)
    expect(await readFile(join(first.dir, 'state', 'order'), 'utf8')).not.toContain('geheim')
    await waitUntil(
      'the problem',
      () => first.problem?.includes('no BGP session with router core (10.9.0.250)'),
      30_000,
    )
    expect(first.problem).not.toContain('geheim')
  })
})

it('reaches its own containers where a router tells the pool as a whole', { timeout: 60_000 }, async () => {
  await using cluster = await RoutedCluster.switched(1)
  const { first } = membersOf(cluster)
  await cluster.middle.ip('address', 'add', '10.9.0.250/24', 'dev', 'switch')
  await cluster.speakInTheMiddle(`
    protocol static { ipv4; route 10.77.0.0/16 blackhole; }
    protocol bgp { local 10.9.0.250 as 65000; neighbor 10.9.0.1 as 64512; ipv4 { import all; export all; next hop self; }; }`)
  await cluster.tell({ peers: [{ name: 'core', address: '10.9.0.250', as: 65_000 }] })
  await waitUntil('the pool from the router', async () => '10.77.0.0/16' in (await first.learned()))
  expect(await first.host.ip('route', 'get', '10.77.1.5')).toContain('dev berth0')
  expect(await first.host.ip('route', 'get', '10.77.9.5')).toContain('via 10.9.0.250')
  await cluster.tell({ mode: 'static' })
  await waitUntil('the end of our rules', async () => !/10\.77\./.test(await first.host.ip('rule', 'show')))
})

it('says how to install BIRD where there is none, and leaves static routes where they are', async () => {
  await using cluster = await RoutedCluster.switched(2)
  const { first } = membersOf(cluster)
  await first.checkStatic()
  first.exec = async (file, args, options) => {
    if (file === 'bird') throw new BerthError('network.command-missing', 'run bird: it is not installed')
    return await first.host.exec(file, args, options)
  }
  await cluster.tell({ only: [first] })
  await waitUntil('the problem', () => first.problem?.includes('apt-get install bird2'))
  await first.checkStatic()
  expect(await first.statics()).toEqual(['10.77.2.0/24'])
  first.exec = first.host.exec
  await waitUntil('BIRD', async () => (await first.birdPid()) !== undefined)
})

it('does not start beside another BIRD, names it, and starts when it is gone', async () => {
  await using cluster = await RoutedCluster.switched(1)
  const { first } = membersOf(cluster)
  const at = (name: string): string => join(cluster.scratch.dir, `other.${name}`)
  await first.host.run('sh', '-c', `echo 'router id 1.1.1.1; protocol device {}' > ${at('conf')}`)
  await first.host.run('bird', '-c', at('conf'), '-s', at('control'), '-P', at('pid'))
  const pid = Number(await readFile(at('pid'), 'utf8'))
  await cluster.tell({})
  await waitUntil('the problem', () => first.problem?.includes(`process ${pid} (bird -c `))
  expect(first.problem).toContain('systemctl disable --now bird')
  expect(await first.birdPid()).toBeUndefined()
  process.kill(pid, 'SIGTERM')
  await waitUntil('BIRD', async () => (await first.birdPid()) !== undefined)
  await waitUntil('no problem', () => first.problem === undefined)
})

it('does not start where another BIRD has left routes, which it would take for its own', async () => {
  await using cluster = await RoutedCluster.switched(1)
  const { first } = membersOf(cluster)
  await first.host.ip('route', 'add', '10.50.0.0/24', 'via', '10.9.0.77', 'proto', 'bird')
  await cluster.tell({})
  await waitUntil('the problem', () => first.problem?.includes('10.50.0.0/24 via 10.9.0.77'))
  await first.host.ip('route', 'delete', '10.50.0.0/24')
  await waitUntil('no problem', () => first.problem === undefined)
})

it('goes on with BGP, and says why, where a static route cannot be made', async () => {
  await using cluster = await RoutedCluster.switched(2)
  const { first, second } = membersOf(cluster)
  await cluster.tell({})
  await cluster.learnedAll()
  first.checkStatic = async () => {
    // The other node is in another network, as far as this one knows.
  }
  await cluster.tell({ mode: 'static', only: [first] })
  await waitUntil('the problem', () => first.problem?.includes('there is none to n2'))
  expect(await first.lost(second, 3)).toBe(0)
  expect(await first.birdPid()).toBeDefined()
})
