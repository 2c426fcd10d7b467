import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ReceiptView, RolloutView } from '../packages/api/src/index.ts'
import { webSource } from './support/apps.ts'
import { Cluster, type Repository } from './support/cluster.ts'
import { type Load, type LoadReport, startLoad, until } from './support/load.ts'

/** Releases in stages on real containers behind a real gateway, with requests all the while. */
let cluster: Cluster
let shop: Repository

const connections = 16
/** From an answer of a version to its count. */
let answers: Map<string, number>

const appOf = (version: string, rollout: string, source = webSource(version)): Record<string, string> => ({
  'server.js': source,
  'smoke.js':
    "require('node:http').get('http://web:8080/', (answer) => process.exit(answer.statusCode === 200 ? 0 : 1))",
  'berth.yaml': `app: shop
build: {base: berth/node:local}
entrypoints:
  web:
    command: node server.js
    cpu: 0.1
    memory: 64Mi
    replicas: 4
    ports: [8080]
  smoke: {type: job, command: node smoke.js, cpu: 0.1, memory: 64Mi}
routes: [shop.test]
rollout:
${rollout}`,
})

/** Every fourth answer is a failure of its own. */
const failing = (version: string): string =>
  webSource(version)
    .replace(
      "if (request.url === '/crash')",
      "if (request.url === '/' && ++turn % 4 === 0) { response.statusCode = 500; return response.end('{}') }\n  if (request.url === '/crash')",
    )
    .replace('const http', 'let turn = 0\nconst http')

/** On the server's machine; it answers with what it is told. */
const hook = 'http://127.0.0.1:9210/berth'
const echo = `require('node:http').createServer((q, s) => q.pipe(s)).listen(9210, '127.0.0.1')`

const canary = `  stages:
    - name: canary
      instances: 1
      traffic: 10%
      before: [{url: '${hook}'}]
      gates: [{errors: 5%, over: 3s}, {lost: 0, over: 3s}, {job: smoke}, person]
      after: [{job: smoke}]
    - instances: 50%
      gates: [{health: 1s}]
`

beforeAll(async () => {
  cluster = await Cluster.start()
  await cluster.first.spawn([process.execPath, '-e', echo])
  await cluster.mustBerth(['hook', 'allow', 'ci', hook])
  shop = await cluster.repository('shop', appOf('1', canary))
  await cluster.mustBerth(['deploy'], { cwd: shop.path })
})
afterAll(() => cluster[Symbol.asyncDispose]())

const load = (): Load => {
  answers = new Map()
  return startLoad(`${cluster.gatewayUrl}/`, {
    ...{ host: 'shop.test', connections },
    onBody: (body) => {
      const version = /"version":"(\w+)"/.exec(body)?.[1] ?? 'none'
      answers.set(version, (answers.get(version) ?? 0) + 1)
    },
  })
}

/** Of the answers to so many more requests, the share of this version. */
async function shareOf(version: string, traffic: Load, requests: number): Promise<number> {
  answers = new Map()
  const from = traffic.requests()
  await until(`${requests} requests`, () => traffic.requests() >= from + requests)
  const all = [...answers.values()].reduce((sum, count) => sum + count, 0)
  return (answers.get(version) ?? 0) / all
}

const latest = async (): Promise<RolloutView> => {
  const [first] = (await cluster.client.list('listRollouts', { query: { app: 'shop', limit: 1 } })).items
  if (first === undefined) throw new Error('no rollout is there')
  return first
}
const untilRollout = (what: string, isIt: (rollout: RolloutView) => boolean): Promise<RolloutView> =>
  until(what, async () => {
    const rollout = await latest()
    return isIt(rollout) && rollout
  })
const receipt = async (id: string): Promise<ReceiptView> =>
  (await cluster.mustBerth(['rollout', 'receipt', id, '-o', 'json'])).json<ReceiptView>()

interface Begun {
  readonly traffic: Load
  /** Of the command. */
  readonly ended: Promise<number>
  /** With the load's end. */
  end(): Promise<LoadReport>
}

async function release(files: Record<string, string>): Promise<Begun> {
  const before = (await latest()).id
  await shop.commit(files)
  const traffic = load()
  const deployed = cluster.berth(['deploy'], { cwd: shop.path })
  await untilRollout('its rollout', ({ id }) => id !== before)
  return { traffic, ended: deployed.then(({ code }) => code), end: () => traffic.stop() }
}

const releases = async (): Promise<readonly string[]> => {
  const { items } = await cluster.client.list('listInstances', { query: { app: 'shop' } })
  return [
    ...new Set(
      items.filter(({ phase, desired }) => phase !== 'ended' && desired === 'run').map((each) => each.release),
    ),
  ]
}

describe('a release in stages', () => {
  it('gets the share of requests that its stage says, waits for its gates and a person, and leaves a receipt', async () => {
    const { traffic, ended, end } = await release(appOf('2', canary))
    await untilRollout('the canary to serve', (each) => each.stages?.[0]?.readyAt !== undefined)
    const share = await shareOf('2', traffic, 1_000)
    expect(share).toBeGreaterThan(0.07)
    expect(share).toBeLessThan(0.13)
    const waiting = await untilRollout('a person to be waited for', ({ message }) => message.includes('a person'))
    expect((await cluster.mustBerth(['rollout', 'show', 'shop'])).stdout).toContain('canary')
    await cluster.mustBerth(['rollout', 'continue', 'shop'])
    expect(await ended).toBe(0)
    expect(await shareOf('2', traffic, 200)).toBe(1)
    expect((await end()).failures).toEqual([])
    const found = await receipt(waiting.id)
    expect(found).toMatchObject({ state: 'succeeded', plan: { web: { before: 4, after: 4 } } })
    expect(found.stages.map(({ name }) => name)).toEqual(['canary', '50%', 'all'])
    expect(found.stages.every(({ endedAt }) => endedAt !== undefined)).toBe(true)
    expect(found.stages[0]?.gates.map(({ type, verdict }) => `${type} ${verdict}`)).toEqual([
      ...['errors passed', 'lost passed', 'job passed', 'person passed'],
    ])
    expect(found.stages[0]?.gates[2]?.message).toMatch(/^job smoke has ended well after/)
    expect(found.stages[0]?.before?.map(({ state }) => state)).toEqual(['done'])
    expect(JSON.parse(found.stages[0]?.before?.[0]?.output ?? '{}')).toMatchObject({
      ...{ rollout: waiting.id, when: 'before', from: 'v1', to: 'v2', stage: { number: 1, name: 'canary' } },
    })
    expect(found.stages[0]?.after).toMatchObject([{ state: 'done', message: 'job smoke has ended well' }])
    expect(await releases()).toEqual(['v2'])
  })

  it('that answers with failures goes back as a whole, by itself, and only its share of requests has met it', async () => {
    const { ended, end } = await release(appOf('3', canary, failing('3')))
    const back = await untilRollout('it to go back', ({ endedAt }) => endedAt !== undefined)
    expect(back.state).toBe('rolled-back')
    expect(back.failure?.reason ?? back.message).toMatch(/5xx|errors/)
    expect(await ended).not.toBe(0)
    const { requests, failures } = await end()
    expect(failures.every((failure) => failure.includes('status 500'))).toBe(true)
    expect(failures.length).toBeLessThan(requests * 0.06)
    expect(await releases()).toEqual(['v2'])
  })

  it('is paused, resumed, skipped and aborted by a word each', async () => {
    const { ended, end } = await release(appOf('4', canary))
    await untilRollout('the canary to serve', (each) => each.stages?.[0]?.readyAt !== undefined)
    await cluster.mustBerth(['rollout', 'pause', 'shop'])
    expect((await latest()).state).toBe('paused')
    await cluster.mustBerth(['rollout', 'resume', 'shop'])
    await cluster.mustBerth(['rollout', 'skip', 'shop'])
    const { id } = await untilRollout('the next stage', (each) => each.stages?.[0]?.endedAt !== undefined)
    await cluster.mustBerth(['rollout', 'abort', 'shop'])
    await untilRollout('it to be over', ({ endedAt }) => endedAt !== undefined)
    expect(await ended).not.toBe(0)
    expect((await end()).failures).toEqual([])
    expect(await receipt(id)).toMatchObject({ state: 'aborted', pauses: [expect.anything()] })
    expect(await releases()).toEqual(['v2'])
  })

  it('of blue and green takes all traffic at once, and gives it back at once', async () => {
    const { traffic, ended, end } = await release(appOf('5', '  strategy: blue-green\n  keep: 1h\n'))
    await until('the switch', async () => (await shareOf('5', traffic, 50)) === 1)
    const { items } = await cluster.client.list('listInstances', { query: { app: 'shop' } })
    expect(items.filter(({ ready, desired }) => ready && desired === 'run')).toHaveLength(8)
    await cluster.mustBerth(['rollout', 'abort', 'shop'])
    await until('the way back', async () => (await shareOf('2', traffic, 50)) === 1)
    await untilRollout('it to be over', ({ endedAt }) => endedAt !== undefined)
    expect(await ended).not.toBe(0)
    expect((await end()).failures).toEqual([])
    expect(await releases()).toEqual(['v2'])
  })

  it('is refused while deploys are frozen, but for a reason that the receipt keeps', async () => {
    const from = new Date(Date.now() - 60_000).toISOString()
    const until_ = new Date(Date.now() + 3_600_000).toISOString()
    await cluster.mustBerth([
      'freeze',
      'add',
      'holidays',
      '--from',
      from,
      '--until',
      until_,
      '--reason',
      'nobody is here',
    ])
    await shop.commit(appOf('6', '  stages: []\n'))
    const refused = await cluster.berth(['deploy'], { cwd: shop.path })
    expect(refused.code).not.toBe(0)
    expect(refused.stderr).toContain('nobody is here')
    await cluster.mustBerth(['deploy', '--override-freeze', 'payments are down'], { cwd: shop.path })
    expect((await receipt((await latest()).id)).frozen).toMatchObject({ reason: 'payments are down' })
    const [now] = await releases()
    await cluster.mustBerth(['rollback', 'shop', '-y'])
    expect(await releases()).not.toEqual([now])
  })
})
