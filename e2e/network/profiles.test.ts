import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { InstanceView, PacketExplanation } from '../../packages/api/src/index.ts'
import { Cluster } from '../support/cluster.ts'
import { until } from '../support/load.ts'

/** Answers on every port that is asked for with the address of who asks. */
const source = `
const net = require('node:net')
for (const port of process.argv.slice(2)) net.createServer((socket) => {
  socket.on('error', () => {})
  socket.end('HTTP/1.0 200 OK\\r\\nconnection: close\\r\\n\\r\\n' + socket.remoteAddress)
}).listen(Number(port), '0.0.0.0')
process.on('SIGTERM', () => process.exit())
`

const entrypoint = (name: string, node: string, port: number): string => `  ${name}:
    command: node server.js ${port} 9999
    cpu: 0.1
    memory: 64Mi
    profiles: [${name}]
    ports: [${port}]
    placement: {where: host = ${node}}
`

const app = (): Record<string, string> => ({
  'server.js': source,
  'berth.yaml': `app: shop
build: {base: berth/node:local}
entrypoints:
${entrypoint('web', 'h1', 8080)}${entrypoint('app', 'h2', 9000)}${entrypoint('db', 'h2', 3306)}  near:
    command: node server.js 8080 9999
    cpu: 0.1
    memory: 64Mi
    ports: [8080]
    bandwidth: {in: 20Mbit, out: 10Mbit}
    placement: {where: host = h2}
routes:
  - {host: shop.test, entrypoint: web}
  - {host: app.test, entrypoint: app, port: 9000}
`,
})

const profiles: Readonly<Record<string, string>> = {
  'web.yaml': 'name: web\ninbound: []\noutbound: [tcp:9000 to app]\n',
  'app.yaml': 'name: app\ntags: [app, db-users]\ninbound: [tcp:9000 from web]\noutbound: [tcp:3306 to db]\n',
  'db.json': JSON.stringify({
    id: 'db',
    inbound_rules: [
      { action: 'allow', src_tag: 'db' },
      { action: 'allow', src_tag: 'db-users', protocol: 'tcp', dst_ports: [3306] },
    ],
    outbound_rules: [{ action: 'allow' }],
  }),
}

let cluster: Cluster
let instances: readonly InstanceView[]
const find = (name: string): InstanceView => {
  const found = instances.find((each) => each.entrypoint === name)
  if (found === undefined) throw new Error(`no instance of ${name}`)
  return found
}

/** A real connection from inside the one to the other. Who is to be let through has more time. */
async function reaches(from: string, to: string, port: number, seconds = 3): Promise<boolean> {
  const url = `http://${find(to).address}:${port}/`
  const { stdout } = await cluster.berth(['exec', find(from).id, 'timeout', `${seconds}`, 'wget', '-q', '-O', '-', url])
  return stdout.includes(find(from).address ?? 'no address')
}

async function explain(from: string, to: string, port: number): Promise<PacketExplanation> {
  return (await cluster.berth(['net', 'explain', `shop/${from}`, `shop/${to}:${port}`, '-o', 'json'])).json()
}

async function apply(files: Readonly<Record<string, string>>): Promise<void> {
  const directory = join(cluster.dir, 'profiles')
  mkdirSync(directory, { recursive: true })
  const paths = Object.entries(files).map(([name, text]) => {
    writeFileSync(join(directory, name), text)
    return join(directory, name)
  })
  await cluster.mustBerth(['profile', 'apply', ...paths])
}

beforeAll(async () => {
  cluster = await Cluster.start({ hosts: 2, beforeUp: async () => ['--network', 'bridge'] })
  await cluster.join(cluster.lab.host('h2'), ['--network', 'bridge'])
  await cluster.untilOnline(2)
  for (const name of ['h1', 'h2']) await cluster.mustBerth(['node', 'label', name, `host=${name}`])
  const repository = await cluster.repository('shop', app())
  const refused = await cluster.berth(['deploy', 'shop', '--repository', repository.path])
  expect(refused.stderr).toContain('there is no security profile app')
  await apply(profiles)
  await cluster.mustBerth(['deploy', 'shop', '--repository', repository.path])
  instances = (await cluster.client.list('listInstances', { query: { app: 'shop' } })).items
})
afterAll(() => cluster[Symbol.asyncDispose]())

describe('the web, app and db of the guide', () => {
  it.each<[string, string, number]>([
    ['web', 'app', 9000],
    ['app', 'db', 3306],
    ['db', 'near', 8080],
  ])('%s to %s:%d', async (from, to, port) => {
    expect(await reaches(from, to, port, 15)).toBe(true)
    expect(await explain(from, to, port)).toMatchObject({ allowed: true })
  })

  // At once: of each it takes seconds to see that nobody answers.
  it.concurrent.each<[string, string, number]>([
    ['web', 'app', 9999],
    ['web', 'db', 3306],
    ['app', 'web', 8080],
    ['app', 'db', 9999],
    ['db', 'app', 9000],
    ['db', 'web', 8080],
    ['near', 'db', 3306],
    ['near', 'app', 9000],
    ['web', 'near', 8080],
  ])('not %s to %s:%d', async (from, to, port) => {
    expect(await reaches(from, to, port)).toBe(false)
    expect(await explain(from, to, port)).toMatchObject({ allowed: false })
  })

  it('are reached through the gateway, on its own node and on others, and probes pass', async () => {
    for (const host of ['shop.test', 'app.test']) {
      const argv = ['busybox', 'wget', '-q', '-O', '-', '--header', `Host: ${host}`, `${cluster.gatewayUrl}/`]
      expect((await cluster.first.exec(argv)).stdout).not.toBe('')
    }
    const now = (await cluster.client.list('listInstances', { query: { app: 'shop' } })).items
    expect(now.filter((each) => each.ready)).toHaveLength(4)
  })

  it('answers names, which every instance may ask for', async () => {
    const { stdout } = await cluster.mustBerth(['exec', find('web').id, 'nslookup', 'app.shop.berth'])
    expect(stdout).toContain(find('app').address)
  })

  it('what flows, what was dropped and by which rule is told by name', async () => {
    expect(await reaches('web', 'app', 9000, 15)).toBe(true)
    expect(await reaches('web', 'db', 3306)).toBe(false)
    const { stdout: flows } = await cluster.mustBerth(['net', 'flows', 'shop/app'])
    expect(flows).toMatch(/shop\.production\.web-1 +shop\.production\.app-1 +tcp:9000/)
    const { stdout: drops } = await cluster.mustBerth(['net', 'drops', 'shop/db'])
    expect(drops).toMatch(/shop\.production\.web-1 +shop\.production\.db-1 +tcp:3306 .*no outbound rule of profile web/)
    const { stdout: counters } = await cluster.mustBerth(['profile', 'show', 'app', '--counters'])
    expect(counters).toMatch(/inbound +1 +tcp:9000 from web +[1-9]/)
  })
})

it('limits of bandwidth are in force on the link of a container, and change while it runs', async () => {
  const queues = async () => (await cluster.lab.host('h2').exec(['tc', 'qdisc', 'show'])).stdout
  await until('what comes to it is held back', async () =>
    /tbf be: dev (?:veth|berth-)\S+ root .*rate 20Mbit/.test(await queues()),
  )
  await until('what it sends is held back', async () => /tbf be: dev bw\S+ root .*rate 10Mbit/.test(await queues()))
  await cluster.mustBerth(['resize', 'shop/near', '--in', '30Mbit', '-y'])
  await until('another limit', async () => /tbf be: dev (?:veth|berth-)\S+ root .*rate 30Mbit/.test(await queues()))
  const { items } = await cluster.client.list('listInstances', { query: { app: 'shop' } })
  expect(items.map((each) => each.id).sort()).toEqual(instances.map((each) => each.id).sort())
})

it('rules, limits, addresses and flows outlive a dockerd that is killed, and packets go on meanwhile', async () => {
  const host = cluster.lab.host('h2')
  const before = await cluster.containers(host)
  const pid = before.find((each) => each.address === find('app').address)?.pid
  const inside = (...argv: string[]) => host.exec(['nsenter', `--target=${pid}`, '--net', '--', ...argv])
  const call = (port: number, seconds: number): string[] => {
    const url = `http://${find('db').address}:${port}/`
    return ['busybox', 'timeout', String(seconds), 'busybox', 'wget', '-q', '-O', '-', url]
  }
  // As app asks all the time: what it is answered, and what it is not.
  const loop = `while sleep 0.2; do ${call(3306, 20).join(' ')} > /dev/null && echo answered || echo lost; done`
  const logFile = join(cluster.dir, 'calls.log')
  const asking = await host.spawn(['nsenter', `--target=${pid}`, '--net', '--', 'busybox', 'sh', '-c', loop], {
    logFile,
  })
  const answers = (): number => readFileSync(logFile, 'utf8').match(/answered/g)?.length ?? 0
  const limits = async () =>
    (await host.exec(['tc', 'qdisc', 'show'])).stdout.match(/tbf .*rate (?:30|10)Mbit/g)?.length ?? 0
  const more = async () => {
    const now = answers()
    await until('more answers', () => answers() > now + 3)
  }
  try {
    await more()
    await host.killDockerd('SIGKILL')
    await more()
    expect((await inside(...call(3306, 20))).stdout).toContain(find('app').address)
    expect((await inside(...call(9999, 3))).code).not.toBe(0)
    expect(await limits()).toBe(2)
    await host.startDockerd()
    await until('all to be known again', async () => {
      const { items } = await cluster.client.list('listInstances', { query: { app: 'shop' } })
      return items.length === 4 && items.every((each) => each.ready)
    })
    await more()
    expect(readFileSync(logFile, 'utf8')).not.toContain('lost')
  } finally {
    asking.kill('SIGKILL')
  }
  expect(await limits()).toBe(2)
  const sorted = (list: typeof before) => list.toSorted((a, b) => a.pid - b.pid)
  expect(sorted(await cluster.containers(host))).toEqual(sorted(before))
  expect(await reaches('app', 'db', 3306, 15)).toBe(true)
  expect(await reaches('web', 'db', 3306)).toBe(false)
})

describe('a change', () => {
  it('holds for new connections as soon as it is made', async () => {
    await apply({ 'app.yaml': 'name: app\ntags: [app]\ninbound: [tcp:9000 from web]\noutbound: [tcp:3306 to db]\n' })
    await until('app to be kept from db', async () => !(await reaches('app', 'db', 3306)))
    await apply({ 'app.yaml': profiles['app.yaml'] ?? '' })
    await until('app to be let in again', () => reaches('app', 'db', 3306))
  })

  it('of members holds as instances come', async () => {
    await cluster.mustBerth(['scale', 'shop/app', '2'])
    const ready = async (): Promise<readonly InstanceView[]> =>
      (await cluster.client.list('listInstances', { query: { app: 'shop' } })).items.filter(
        (each) => each.entrypoint === 'app' && each.ready,
      )
    await until('two', async () => (await ready()).length === 2)
    const second = (await ready()).find((each) => each.id !== find('app').id)
    const url = `http://${find('db').address}:3306/`
    await until('the second one to be let in', async () => {
      const { stdout } = await cluster.berth(['exec', second?.id ?? '', 'timeout', '3', 'wget', '-q', '-O', '-', url])
      return stdout.includes(second?.address ?? 'none')
    })
  })
})

describe('bad days', () => {
  it('rules that somebody deletes come back', async () => {
    const host = cluster.lab.host('h2')
    expect((await host.exec(['nft', 'delete', 'table', 'inet', 'berth-policy'])).code).toBe(0)
    await until('the table', async () => (await host.exec(['nft', 'list', 'table', 'inet', 'berth-policy'])).code === 0)
    expect(await reaches('web', 'db', 3306)).toBe(false)
    expect(await reaches('app', 'db', 3306, 15)).toBe(true)
  })

  it('a rebooted node has its instances and its rules again', async () => {
    const host = cluster.lab.host('h2')
    await cluster.reboot(host)
    await until('its instances', async () => {
      const now = (await cluster.client.list('listInstances', { query: { app: 'shop' } })).items
      return now.filter((each) => each.ready && each.node === 'h2').length === 4
    })
    // What was ready before the power cut may still be told to be.
    await until('app to be let in again', () => reaches('app', 'db', 3306))
    expect(await reaches('web', 'db', 3306)).toBe(false)
    expect(await reaches('near', 'db', 3306)).toBe(false)
  })
})

it('without a profile everything reaches everything again, and no table is left', async () => {
  const open = app()['berth.yaml']?.replaceAll(/^ {4}profiles: .*\n/gm, '') ?? ''
  const repository = await cluster.repository('open', { 'server.js': source, 'berth.yaml': open })
  await cluster.mustBerth(['deploy', 'shop', '--repository', repository.path])
  instances = (await cluster.client.list('listInstances', { query: { app: 'shop' } })).items.filter(
    (each) => each.ready && each.desired === 'run',
  )
  expect(await reaches('web', 'db', 3306, 15)).toBe(true)
  for (const host of cluster.lab.hosts)
    await until(
      'the end of the table',
      async () => (await host.exec(['nft', 'list', 'table', 'inet', 'berth-policy'])).code !== 0,
    )
  for (const name of ['web', 'app', 'db']) await cluster.mustBerth(['profile', 'rm', name, '-y'])
})
