import type { NodeFailover } from '@berth/core'
import { expect, it } from 'vitest'
import { RoutedCluster } from '../routing/routed-cluster.testing.ts'
import { waitUntil } from '../testing/wait-until.ts'
import { GatewayMachine } from './gateway-machines.testing.ts'

const address = '192.0.2.10'
const everyMs = 50

/** What the router sends it to, in the order of nodes. */
async function toldBy(cluster: RoutedCluster): Promise<string[]> {
  const control = `${cluster.scratch.dir}/router.control`
  const { stdout } = await cluster.middle.exec('birdc', ['-s', control, 'show', 'route', 'for', `${address}/32`, 'all'])
  return [...stdout.matchAll(/via (\S+) on/g)].map(([, via = '']) => via).sort()
}

/** Asks once every 50 ms from the router; how long nobody answered. */
async function silence(cluster: RoutedCluster, forMs: number): Promise<number> {
  const count = forMs / everyMs
  const args = ['ping', '-c', String(count), '-i', String(everyMs / 1000), '-W', '1', address]
  const { stdout } = await cluster.middle.exec('busybox', args, { timeoutMs: 60_000 })
  const received = Number(/(\d+) packets received/.exec(stdout)?.[1] ?? Number.NaN)
  return (count - received) * everyMs
}

it('is told to routers by every gateway that is well, and goes on when one of them is gone', {
  timeout: 120_000,
}, async () => {
  await using cluster = await RoutedCluster.routed(2)
  await using stack = new AsyncDisposableStack()
  const numbers = [1, 2]
  const session = (n: number): string =>
    `protocol bgp { local 10.${n}.0.254 as 65000; neighbor 10.${n}.0.1 as 64512; graceful restart on; connect delay time 1; connect retry time 1; error wait time 1, 2; ipv4 { import all; export none; }; }`
  await cluster.speakInTheMiddle(numbers.map(session).join('\n'))
  await cluster.middle.ip('address', 'add', '10.200.0.1/32', 'dev', 'lo')
  // Where packets go while the router knows no gateway, so that who sends them is told nothing.
  await cluster.middle.ip('link', 'add', 'void', 'type', 'veth', 'peer', 'name', 'void1')
  for (const link of ['void', 'void1']) await cluster.middle.ip('link', 'set', link, 'up')
  await cluster.middle.ip('neighbour', 'replace', '10.250.0.1', 'lladdr', '02:00:00:00:00:01', 'dev', 'void')
  await cluster.middle.ip('route', 'add', '192.0.2.0/24', 'via', '10.250.0.1', 'dev', 'void', 'onlink')
  const machines = cluster.nodes.map((node) => {
    const { name, address: own } = node.place
    const machine = stack.use(new GatewayMachine(name, own, node.host, cluster.scratch.dir))
    machine.onAnnounced = () => node.service.networkChanged()
    node.anycast = () => machine.service.announced
    return machine
  })
  for (const machine of machines) await machine.startGateway()
  const peers = numbers.map((n) => ({
    ...{ name: `r${n}`, address: `10.${n}.0.254`, as: 65_000, label: { name: 'net', value: String(n) } },
  }))
  const order = (source: string): NodeFailover => ({ source, addresses: [{ by: 'bgp', address }] })
  for (const machine of machines) await machine.service.apply(order(machine.address))
  await cluster.tell({ peers, labels: ({ number }) => ({ net: String(number) }) })
  await waitUntil(
    'sessions with the router',
    () => cluster.nodes.every(({ service }) => (service.summary?.up ?? 0) > 0),
    20_000,
    () => JSON.stringify(cluster.nodes.map(({ problem, service }) => [problem, service.summary])),
  )
  const both = ['10.1.0.1', '10.2.0.1']
  await waitUntil('both to tell of it', async () => (await toldBy(cluster)).join() === both.join(), 30_000)
  for (const machine of machines) await waitUntil('it to be told', () => machine.statusOf(address)?.state === 'holds')
  const answers = async (): Promise<boolean> =>
    (await cluster.middle.exec('curl', ['-sm', '2', '-o', '/dev/null', '-w', '%{http_code}', `http://${address}/`]))
      .stdout === '404'
  expect(await answers()).toBe(true)

  const [first, second] = machines as [GatewayMachine, GatewayMachine]
  // Nobody is there to see to it but keepalived and BIRD.
  await first.service[Symbol.asyncDispose]()
  await cluster.nodes[0]?.service[Symbol.asyncDispose]()
  await first.gateway.stop({ graceMs: 0 })
  await waitUntil('it to be told of no more', async () => (await toldBy(cluster)).join() === '10.2.0.1', 10_000)
  expect(await answers()).toBe(true)
  await first.gateway.start()
  await waitUntil('it to be told of again', async () => (await toldBy(cluster)).join() === both.join(), 10_000)

  // Of two that are as good the router takes the lower one, whose machine is gone without a word.
  const [dead, alive] = [first, second]
  const isChosen = async (): Promise<boolean> => {
    const [route] = JSON.parse(await cluster.middle.ip('-json', 'route', 'get', address)) as { gateway?: string }[]
    return route?.gateway === dead.address
  }
  await waitUntil('the router to send to it', isChosen, 10_000)
  const quiet = silence(cluster, 13_000)
  const rules =
    'table inet dead { chain in { type filter hook input priority 0; policy drop; }; chain out { type filter hook output priority 0; policy drop; }; }'
  await dead.space.exec('nft', ['-f', '-'], { input: rules })
  const gap = await quiet
  expect(gap).toBeGreaterThan(0)
  expect(gap).toBeLessThan(12_500)
  expect(await toldBy(cluster)).toEqual([alive.address])
  expect(await answers()).toBe(true)

  await dead.space.exec('nft', ['delete', 'table', 'inet', 'dead'])
  await alive.service[Symbol.asyncDispose]()
  alive.service = alive.makeService()
  await alive.service.resume()
  await alive.service.apply({ source: alive.address, addresses: [] })
  await waitUntil('it to be taken away', async () => !(await alive.has(address)))
  const link = ['link', 'show', 'dev', 'berth-anycast']
  await waitUntil('its link to go', async () => (await alive.space.exec('ip', link)).code !== 0, 10_000)
})
