import { describe, expect, it } from 'vitest'
import { waitUntil } from '../testing/wait-until.ts'
import { RoutedCluster } from './routed-cluster.testing.ts'
import type { RoutedNode } from './routed-node.testing.ts'

const membersOf = ({ nodes: [first, second, third] }: RoutedCluster) =>
  ({ first, second, third }) as Record<'first' | 'second' | 'third', RoutedNode>

const block6 = (number: number): string => `fd77:1::a4d:${number}00/120`
const via6 = (number: number): string => `fe80::be:a09:${number}`

async function learnedAll6(cluster: RoutedCluster): Promise<void> {
  for (const node of cluster.nodes) {
    const isThere = async () => Object.keys(await node.learned('-6')).length === cluster.nodes.length - 1
    const explain = () => JSON.stringify([node.service.summary, node.problem])
    await waitUntil(`the routes of IPv6 of ${node.place.name}`, isThere, 30_000, explain)
  }
}

const retired = async ({ nodes }: RoutedCluster): Promise<void> => {
  for (const node of nodes)
    await waitUntil(`${node.place.name} to have retired`, async () => (await node.birdPid()) === undefined)
}

// Each has machines of its own, and waits most of its time for BIRD.
describe.concurrent('routes of IPv6', () => {
  it('come by BGP and go back to static ones without a lost packet; a BIRD that is killed costs none', {
    timeout: 150_000,
  }, async () => {
    await using cluster = await RoutedCluster.switched(2)
    const { first, second } = membersOf(cluster)
    for (const node of cluster.nodes) {
      await node.prepareIpv6()
      node.giveIpv6()
      await node.checkStatic()
    }
    expect(await first.statics()).toEqual(['10.77.2.0/24', block6(2)])
    const both = (count: number) =>
      Promise.all([first.lost6(second, count), second.lost6(first, count), first.lost(second, count)])
    const change = both(500)
    await cluster.tell({ only: [first] })
    await cluster.tell({ only: [second] })
    await cluster.whole()
    await learnedAll6(cluster)
    for (const node of cluster.nodes) await node.checkStatic()
    expect(await Promise.all(cluster.nodes.map((node) => node.statics()))).toEqual([[], []])
    expect(await first.learned('-6')).toEqual({ [block6(2)]: via6(2) })
    expect(await change).toEqual([0, 0, 0])
    expect(await first.host.ip('-6', 'rule')).toMatch(/1076:.* to fd77:1::a4d:100\/120 lookup main/)

    const killed = both(400)
    const before = await first.birdPid()
    process.kill(before as number, 'SIGKILL')
    await waitUntil('another BIRD', async () => ((await first.birdPid()) ?? before) !== before)
    await cluster.whole()
    expect(await killed).toEqual([0, 0, 0])

    const back = both(400)
    await cluster.tell({ mode: 'static' })
    await retired(cluster)
    expect(await back).toEqual([0, 0, 0])
    expect(await first.statics()).toEqual(['10.77.2.0/24', block6(2)])
    expect(await first.learned('-6')).toEqual({})
    expect(await first.host.ip('-6', 'rule')).not.toContain('lookup 77')
  })

  it('are added to sessions that there are without a lost packet, and passed on by reflectors', {
    timeout: 120_000,
  }, async () => {
    await using cluster = await RoutedCluster.switched(3)
    const { first, second, third } = membersOf(cluster)
    await cluster.tell({ settings: { meshUpTo: 2, reflectors: 1 } })
    await cluster.whole()
    await cluster.learnedAll()
    const pids = () => Promise.all(cluster.nodes.map((node) => node.birdPid()))
    const before = await pids()
    const lost = Promise.all([first.lost(second, 600), second.lost(third, 600), third.lost(first, 600)])
    for (const node of cluster.nodes) await node.prepareIpv6()
    for (const node of cluster.nodes) node.giveIpv6()
    await learnedAll6(cluster)
    expect(await lost).toEqual([0, 0, 0])
    expect(await pids()).toEqual(before)
    // They speak with the first alone, and send straight to each other.
    expect(second.service.summary).toMatchObject({ sessions: 1 })
    expect(await second.learned('-6')).toEqual({ [block6(1)]: via6(1), [block6(3)]: via6(3) })
    for (const from of cluster.nodes)
      for (const to of cluster.nodes) if (from !== to) expect(await from.lost6(to, 3)).toBe(0)
    const { routes } = await second.service.report({ signal: AbortSignal.timeout(5_000) })
    const six = routes.filter(({ block }) => block.includes(':'))
    expect(six.toSorted((a, b) => (a.block < b.block ? -1 : 1))).toEqual([
      { block: block6(1), kind: 'bgp', from: 'n1', reachable: true, via: via6(1), device: 'eth0' },
      { block: block6(3), kind: 'bgp', from: 'n1', reachable: true, via: via6(3), device: 'eth0' },
    ])
  })

  it('lead through a router to nodes that have addresses of their own, and to others nowhere, which is said', {
    timeout: 120_000,
  }, async () => {
    await using cluster = await RoutedCluster.routed(3)
    const { first, second, third } = membersOf(cluster)
    await cluster.middle.run('sysctl', '-qw', 'net.ipv6.conf.all.forwarding=1')
    for (const node of cluster.nodes) {
      await node.prepareIpv6()
      const net = `2001:db8:${node.place.number}:`
      await cluster.middle.ip('address', 'add', `${net}:fe/64`, 'dev', `port${node.place.number}`, 'nodad')
      if (node === third) continue
      await node.host.ip('address', 'add', `${net}:1/64`, 'dev', 'eth0', 'nodad')
      await node.host.ip('route', 'add', 'default', 'via', `${net}:fe`)
      node.giveIpv6()
    }
    third.giveIpv6()
    const channel = (n: number): string => `ipv6 { import all; export all; next hop address 2001:db8:${n}::fe; };`
    await cluster.speakInTheMiddle(
      `protocol direct { ipv6; }
      protocol kernel { ipv6 { export where source = RTS_BGP; }; }
      ${[1, 2, 3]
        .map(
          (n) =>
            `protocol bgp { local 10.${n}.0.254 as 65000; neighbor 10.${n}.0.1 as 64512; hold time 9; ipv4 { import all; export all; }; ${channel(n)} }`,
        )
        .join('\n')}`,
    )
    const peers = [1, 2, 3].map((n) => ({
      ...{ name: `r${n}`, address: `10.${n}.0.254`, as: 65_000, label: { name: 'net', value: String(n) } },
    }))
    await cluster.tell({ peers, labels: ({ number }) => ({ net: String(number) }) })
    await cluster.whole()
    await cluster.learnedAll()
    await waitUntil('the way to the second', async () => block6(2) in (await first.learned('-6')))
    await waitUntil('the way to the first', async () => block6(1) in (await second.learned('-6')))
    expect(await first.lost6(second, 3)).toBe(0)
    expect(await second.lost6(first, 3)).toBe(0)
    const inRouter = await cluster.middle.ip('-6', 'route', 'show', 'proto', 'bird')
    expect(inRouter).toContain(`${block6(1)} via 2001:db8:1::1`)
    expect(inRouter).not.toContain(block6(3))
    const { routes } = await first.service.report({ signal: AbortSignal.timeout(5_000) })
    expect(routes.find(({ block }) => block === block6(2))).toMatchObject({ reachable: true, via: '2001:db8:1::fe' })
    expect(routes.find(({ block }) => block === block6(3))).toMatchObject({ from: 'n3', reachable: false })
    expect(await first.lost(third, 3)).toBe(0)
  })
})
