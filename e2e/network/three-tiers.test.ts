import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { InstanceView } from '../../packages/api/src/index.ts'
import type { LabHost } from '../../packages/lab/src/index.ts'
import { Cluster } from '../support/cluster.ts'
import { until } from '../support/load.ts'
import type { ProbeAnswers } from './connection-probe.ts'

/** Three machines in routed mode that learn each other's routes by BGP, with a tier on each. Whatever is killed: what the rules allow passes, and nothing else ever does. */
let cluster: Cluster

const ports = [8080, 9000, 3306, 9999]
/** Answers on every port with the address of who asks. */
const source = `
const net = require('node:net')
for (const port of [${ports}]) net.createServer((socket) => {
  socket.on('error', () => {})
  socket.end(socket.remoteAddress)
}).listen(port, '0.0.0.0')
`

const entrypoint = (name: string, host: string, more: string): string => `  ${name}:
    command: node server.js
    cpu: 0.1
    memory: 64Mi
    ports: [8080]
    placement: {where: host = ${host}}
${more}`

/** `near` has no profile and shares the machine of `app`; there are two of `db`, on one machine. */
const app: Readonly<Record<string, string>> = {
  'server.js': source,
  'berth.yaml': `app: shop
build: {base: berth/node:local}
entrypoints:
${entrypoint('web', 'h1', '    profiles: [web]\n')}${entrypoint('app', 'h2', '    profiles: [app]\n')}${entrypoint('db', 'h3', '    profiles: [db]\n    replicas: 2\n')}${entrypoint('near', 'h2', '')}`,
}

const profiles: Readonly<Record<string, object>> = {
  web: { name: 'web', inbound: [], outbound: ['tcp:9000 to app'] },
  app: { name: 'app', tags: ['app', 'db-users'], inbound: ['tcp:9000 from web'], outbound: ['tcp:3306 to db'] },
  db: {
    id: 'db',
    inbound_rules: [
      { action: 'allow', src_tag: 'db' },
      { action: 'allow', src_tag: 'db-users', protocol: 'tcp', dst_ports: [3306] },
    ],
    outbound_rules: [{ action: 'allow' }],
  },
}

/** What the rules say of a port, or of a ping. */
function isAllowed(from: string, to: string, port: number | 'ping'): boolean {
  if (from === 'web') return to === 'app' && port === 9000
  if (from === 'app') return to === 'db' && port === 3306
  return from === 'db' && (to === 'db' || to === 'near')
}

interface Running {
  readonly name: string
  readonly entrypoint: string
  readonly host: LabHost
  readonly address: string
  /** Of its process, as its host sees it. */
  readonly pid: number
}

interface Attempt {
  readonly to: Running
  readonly target: string
  readonly allowed: boolean
}

const views = async (): Promise<readonly InstanceView[]> =>
  (await cluster.client.list('listInstances', { query: { app: 'shop' } })).items

async function findRunning(count: number): Promise<readonly Running[]> {
  const ready = await until(
    `${count} to be ready`,
    async () => {
      const found = (await views()).filter((each) => each.phase === 'running' && each.ready)
      return found.length === count && found
    },
    120_000,
  )
  const containers = (await Promise.all(cluster.lab.hosts.map((host) => cluster.containers(host)))).flat()
  return ready.map(({ name, entrypoint, node, address = '' }) => {
    const pid = containers.find((each) => each.address === address)?.pid
    if (pid === undefined || node === undefined) throw new Error(`no container has the address of ${name}: ${address}`)
    return { name, entrypoint, host: cluster.lab.host(node), address, pid }
  })
}

const attemptsOf = (all: readonly Running[], from: Running): readonly Attempt[] =>
  all
    .filter((to) => to !== from)
    .flatMap((to) =>
      [...ports, 'ping' as const].map((port) => ({
        to,
        target: port === 'ping' ? to.address : `${to.address}:${port}`,
        allowed: isAllowed(from.entrypoint, to.entrypoint, port),
      })),
    )

/** Who is let through gets time for it, on a busy machine too; who is not is not waited for as long. */
const timeoutMs = ({ allowed }: Attempt): number => (allowed ? 20_000 : 1000)

/** Real packets from inside of `from`; tells what went otherwise than the rules say, and who was not seen under its own address. */
async function mistakesFrom(from: Running, attempts: readonly Attempt[]): Promise<string[]> {
  const probe = [process.execPath, join(import.meta.dirname, 'connection-probe.ts')]
  const targets = attempts.map((each) => `${each.target}@${timeoutMs(each)}`)
  const inside = ['nsenter', `--target=${from.pid}`, '--net', '--', ...probe, ...targets]
  const { code, stdout, stderr } = await from.host.exec(inside)
  if (code !== 0) return [`${from.name} could not be looked from: ${stderr}`]
  const answers = JSON.parse(stdout) as ProbeAnswers
  return attempts.flatMap(({ to, target, allowed }) => {
    const seen = answers[target] ?? 'nothing'
    const wanted = allowed ? (target.includes(':') ? from.address : 'pong') : 'nothing'
    return seen === wanted ? [] : [`${from.name} to ${to.name} (${target}) got ${seen}, not ${wanted}`]
  })
}

const mistakesOf = async (all: readonly Running[]): Promise<string[]> =>
  (await Promise.all(all.map((from) => mistakesFrom(from, attemptsOf(all, from))))).flat()

/** Tries everything again and again while `work` goes on, and at least once when it is done. */
async function allTheWhile(all: readonly Running[], work: () => Promise<void>): Promise<void> {
  let ended = false
  const worked = work().finally(() => {
    ended = true
  })
  worked.catch(() => {})
  for (let last = false; !last; ) {
    last = ended
    expect(await mistakesOf(all)).toEqual([])
  }
  await worked
}

const onAll = (work: (host: LabHost) => Promise<unknown>): Promise<unknown> => Promise.all(cluster.lab.hosts.map(work))
const read = async (host: LabHost, ...argv: string[]): Promise<string> => (await host.exec(argv)).stdout.trim()
const birdOf = (host: LabHost): Promise<string> => read(host, 'cat', '/run/berth/secrets/bird/pid')
const sessionsUp = (): Promise<boolean> =>
  Promise.all(cluster.lab.hosts.map(({ name }) => cluster.client.call('getNode', { params: { name } }))).then((nodes) =>
    nodes.every((each) => each.online && each.routes?.up === 2),
  )

let running: readonly Running[]

beforeAll(async () => {
  cluster = await Cluster.start({ hosts: 3, beforeUp: async () => ['--network', 'routed'] })
  for (const host of cluster.lab.hosts.slice(1)) await cluster.join(host, ['--network', 'routed'])
  await until('all online', async () => (await cluster.client.list('listNodes')).items.every((each) => each.online))
  for (const { name } of cluster.lab.hosts) await cluster.mustBerth(['node', 'label', name, `host=${name}`])
  await cluster.mustBerth(['net', 'set', '--routes', 'bgp', '--yes'])
  await until('the sessions', sessionsUp, 120_000)
  await onAll((host) =>
    until(`learned routes alone on ${host.name}`, async () => {
      const learned = (await read(host, 'ip', 'route', 'show', 'table', '77')).match(/proto bird/g) ?? []
      return learned.length === 2 && (await read(host, 'ip', 'route', 'show', 'proto', '77')) === ''
    }),
  )
  const directory = join(cluster.dir, 'profiles')
  mkdirSync(directory, { recursive: true })
  const paths = Object.keys(profiles).map((name) => join(directory, `${name}.json`))
  for (const [name, profile] of Object.entries(profiles))
    writeFileSync(join(directory, `${name}.json`), JSON.stringify(profile))
  await cluster.mustBerth(['profile', 'apply', ...paths])
  const repository = await cluster.repository('shop', app)
  await cluster.mustBerth(['deploy', 'shop', '--repository', repository.path])
  running = await findRunning(5)
})
afterAll(() => cluster?.[Symbol.asyncDispose]())

it('each tier reaches the next one alone, in both directions as the rules say', async () => {
  expect(running.map((each) => `${each.entrypoint} ${each.host.name}`).sort()).toEqual([
    ...['app h2', 'db h3', 'db h3', 'near h2', 'web h1'],
  ])
  expect(await mistakesOf(running)).toEqual([])
})

it('also while every agent is killed and starts again', async () => {
  await allTheWhile(running, async () => {
    await onAll(async (host) => {
      const before = await cluster.pidOf('agent', host)
      await host.kill('agent')
      await until(`another agent on ${host.name}`, async () => (await cluster.pidOf('agent', host)) !== before, 120_000)
    })
    await until('the sessions', sessionsUp, 120_000)
  })
})

it('also while every BIRD is killed and starts again', async () => {
  await allTheWhile(running, async () => {
    await onAll(async (host) => {
      const before = await birdOf(host)
      expect((await host.exec(['kill', '-9', before])).code).toBe(0)
      await until(`another BIRD on ${host.name}`, async () => !['', before].includes(await birdOf(host)), 120_000)
    })
    await until('the sessions', sessionsUp, 120_000)
  })
})

it('also while every dockerd is dead, and when it is there again', async () => {
  await onAll((host) => host.killDockerd())
  await allTheWhile(running, async () => {})
  await allTheWhile(running, () => onAll((host) => host.startDockerd()).then(() => undefined))
  await findRunning(5)
})

it('and what comes afterwards obeys them too', async () => {
  await cluster.mustBerth(['scale', 'shop/app', '2'])
  const more = await findRunning(6)
  expect(await mistakesOf(more)).toEqual([])
})
