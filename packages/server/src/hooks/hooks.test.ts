import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import type { StageHookSpec, StageSpec } from '@berth/core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TestCluster, testSpec, webRoute } from '../controllers/cluster.testing.ts'
import { openTemporaryRecords, type RecordsUnderTest } from '../records/open-records.testing.ts'
import { receiptView } from '../views/rollout-view.ts'
import { callHook } from './call-hook.ts'
import { HookTargets, hookTargetOf } from './hook-targets.ts'

const call = { actor: 'token:ann' }
const production = { app: 'shop', pool: 'production' }

type Receive = (request: IncomingMessage, response: ServerResponse, body: string) => void
let receiver: Server
let origin: string
let receive: Receive
const got: { readonly url: string; readonly headers: IncomingMessage['headers']; readonly body: string }[] = []

const yes: Receive = (_, response) => void response.writeHead(200).end('welcome')

beforeEach(async () => {
  got.length = 0
  receive = yes
  receiver = createServer(async (request, response) => {
    const body = await text(request)
    got.push({ url: request.url ?? '', headers: request.headers, body })
    receive(request, response, body)
  }).listen(0, '127.0.0.1')
  await once(receiver, 'listening')
  origin = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`
})
afterEach(() => {
  receiver.closeAllConnections()
  receiver.close()
})

const calling = (over: { timeoutMs?: number; secret?: string; url?: string; signal?: AbortSignal } = {}) =>
  callHook({
    ...{ id: 'r-1.0.before.0', url: `${origin}/berth`, secret: undefined, body: { app: 'shop' } },
    ...{ timeoutMs: 5000, signal: new AbortController().signal, retryMs: 10 },
    ...over,
  })

describe('a call of a hook', () => {
  it('is posted, signed, with an id that stays, and keeps what is answered', async () => {
    expect(await calling({ secret: 'long enough' })).toEqual({
      ...{ ok: true, message: 'it answered with 200', output: 'welcome' },
    })
    const { headers, body } = got[0]!
    const [, at = '', sum] = /^t=(\d+),sha256=(.*)$/.exec(String(headers['berth-signature'])) ?? []
    expect(sum).toBe(createHmac('sha256', 'long enough').update(`${at}.${body}`).digest('hex'))
    expect([headers['berth-hook'], body]).toEqual(['r-1.0.before.0', '{"app":"shop"}'])
  })

  it('is made again when a server has failed, and is the same call', async () => {
    receive = (request, response, body) =>
      got.length < 3 ? void response.writeHead(500).end('not now') : yes(request, response, body)
    expect(await calling()).toMatchObject({ ok: true })
    expect(got.map(({ headers }) => [headers['berth-hook'], headers['berth-try']])).toEqual([
      ['r-1.0.before.0', '1'],
      ['r-1.0.before.0', '2'],
      ['r-1.0.before.0', '3'],
    ])
  })

  it('fails in the end, and says what was answered last', async () => {
    receive = (_, response) => void response.writeHead(500).end('disk full')
    expect(await calling()).toEqual({ ok: false, message: 'it answered with 500, tried 5 times', output: 'disk full' })
  })

  it('takes a no at its word', async () => {
    receive = (_, response) => void response.writeHead(403).end('not you')
    expect(await calling()).toEqual({ ok: false, message: 'it answered with 403', output: 'not you' })
    expect(got).toHaveLength(1)
  })

  it('gives up on a server that hangs', async () => {
    receive = () => undefined
    const began = performance.now()
    expect(await calling({ timeoutMs: 200 })).toEqual({ ok: false, message: 'it has not answered within 200ms' })
    expect(performance.now() - began).toBeLessThan(3000)
  })

  it('does not wait for the end of an answer without one', async () => {
    receive = (_, response) => {
      response.writeHead(200)
      const pour = (): void => {
        while (!response.destroyed && response.write('x'.repeat(100_000)));
      }
      response.on('drain', pour)
      pour()
    }
    const answer = await calling()
    expect(answer).toMatchObject({ ok: true })
    expect(answer.output).toHaveLength(1000)
  })

  it('says so when the server goes away in the middle, or is not there', async () => {
    receive = (request) => void request.socket.destroy()
    expect(await calling()).toMatchObject({ ok: false, message: expect.stringContaining('tried 5 times') })
    receiver.closeAllConnections()
    receiver.close()
    await once(receiver, 'close')
    expect((await calling()).message).toMatch(/ECONNREFUSED.*, tried 5 times/)
  })

  it('is not led elsewhere', async () => {
    receive = (_, response) => void response.writeHead(307, { location: `${origin}/secret` }).end()
    expect(await calling()).toMatchObject({ ok: false, message: 'it answered with 307, which is not followed' })
    expect(got.map(({ url }) => url)).toEqual(['/berth'])
  })

  it('keeps no control characters', async () => {
    receive = (_, response) => void response.writeHead(200).end('a\u001b[31mb\nc')
    expect((await calling()).output).toBe('a\uFFFD[31mb\nc')
  })
})

describe('hooks of a rollout', () => {
  let cluster: TestCluster
  beforeEach(async () => {
    cluster = await TestCluster.start()
  })
  afterEach(async () => {
    await cluster[Symbol.asyncDispose]()
    expect(cluster.node.stoppedInTraffic).toEqual([])
  })

  const rolloutOf = (id: string) => cluster.state.rollouts.get(id)
  const endOf = (id: string) => cluster.until('the end', () => rolloutOf(id)?.endedAt !== undefined)
  const hook = (over: object = {}): StageHookSpec =>
    ({ type: 'url', url: `${origin}/berth?shop`, timeoutMs: 5000, onFailure: 'hold', ...over }) as StageHookSpec
  const targets = () => new HookTargets(cluster.records, { derive: () => Buffer.alloc(32, 7) })

  async function commit(stage: Partial<StageSpec>): Promise<void> {
    const stages: StageSpec[] = [
      { name: 'canary', instances: 1, gates: [], ...stage },
      { name: 'all', gates: [] },
    ]
    const rollout = { surge: 1, unavailable: 0, settleMs: 0, before: [], stages }
    for (const ref of ['c1', 'c2'])
      cluster.commits.set(ref, testSpec({ web: { replicas: 3, command: [ref] } }, { routes: [webRoute], rollout }))
  }

  async function deploy(stage: Partial<StageSpec>): Promise<string> {
    await commit(stage)
    await targets().put('ci', { url: `${origin}/` }, call)
    await cluster.deploy('c1')
    await cluster.operations.deploy({ ...production, ref: 'c2', force: false, repository: '/repo' }, call)
    await cluster.until('a rollout', () => cluster.state.pools.find('shop', 'production')?.rollout !== undefined)
    return cluster.state.pools.find('shop', 'production')?.rollout ?? ''
  }

  it('learn what is released, before and after, and stand in its receipt', async () => {
    const id = await deploy({ before: [hook()], after: [hook()] })
    await endOf(id)
    expect(got.map(({ body }) => JSON.parse(body))).toMatchObject([
      {
        ...{ hook: `${id}.0.before.0`, when: 'before', rollout: id, app: 'shop', pool: 'production' },
        ...{ from: 'v1', to: 'v2', by: 'token:ann', commit: 'c2', stage: { number: 1, of: 2, name: 'canary' } },
      },
      { hook: `${id}.0.after.0`, when: 'after' },
    ])
    const { stages } = receiptView(cluster.state, rolloutOf(id)!, Date.now())
    expect(stages[0]).toMatchObject({
      before: [{ state: 'done', message: `${origin}/berth: it answered with 200`, output: 'welcome' }],
      after: [{ state: 'done' }],
    })
  })

  it('hold it when nobody answers, and somebody lets it go on', async () => {
    receive = () => undefined
    const id = await deploy({ before: [hook({ timeoutMs: 100 })] })
    await cluster.until('it to hold', () => rolloutOf(id)?.message.includes('a person') === true)
    expect(rolloutOf(id)?.message).toContain('it has not answered within 100ms')
    expect(cluster.state.instances.all().every(({ release }) => release === 'v1')).toBe(true)
    await cluster.operations.continueRollout(id, call)
    await endOf(id)
    expect(rolloutOf(id)).toMatchObject({ state: 'succeeded', stages: [{ before: [{ by: 'token:ann' }] }, {}] })
  })

  it('take the pool back where that is what they say', async () => {
    receive = (_, response) => void response.writeHead(409).end('orders are being counted')
    const id = await deploy({ after: [hook({ onFailure: 'rollback' })] })
    await endOf(id)
    expect(rolloutOf(id)).toMatchObject({
      state: 'rolled-back',
      failure: { reason: expect.stringContaining('409'), logTail: ['orders are being counted'] },
    })
  })

  it('are called again by a server that takes over, and not lost', async () => {
    receive = () => undefined
    const id = await deploy({ before: [hook()] })
    await cluster.until('the call', () => got.length === 1)
    await cluster.stopServer()
    receive = yes
    await cluster.startServer()
    await cluster.connect()
    await endOf(id)
    expect(rolloutOf(id)?.state).toBe('succeeded')
    expect(got.map(({ headers }) => headers['berth-hook'])).toEqual([`${id}.0.before.0`, `${id}.0.before.0`])
  })

  it('are not called while it is paused, nor once it goes back', async () => {
    receive = () => undefined
    const id = await deploy({ before: [hook()] })
    await cluster.until('the call', () => got.length === 1)
    await cluster.operations.pauseRollout(id, call)
    await cluster.operations.abortRollout(id, call)
    await endOf(id)
    expect(rolloutOf(id)).toMatchObject({ state: 'aborted', stages: [{ before: [{ state: 'failed' }] }, {}] })
    expect(got).toHaveLength(1)
  })

  it('may call only what an admin has allowed, and keep back no way back', async () => {
    await commit({})
    await cluster.deploy('c1')
    await commit({ before: [hook()] })
    const deploy = () => cluster.operations.deploy({ ...production, ref: 'c2', force: false, repository: '/r' }, call)
    await expect(deploy()).rejects.toThrow('berth hook allow')
    await targets().put('ci', { url: `${origin}/berth` }, call)
    await deploy()
    await cluster.until('the end', () => cluster.state.pools.find('shop', 'production')?.release === 'v2')
    await targets().remove('ci', call)
    const back = await cluster.operations.rollback(production, call)
    await endOf(back.id)
    expect(rolloutOf(back.id)?.state).toBe('succeeded')
  })
})

describe('what hooks may call', () => {
  let under: RecordsUnderTest
  beforeEach(async () => {
    under = await openTemporaryRecords()
  })
  afterEach(async () => await under[Symbol.asyncDispose]())
  const targets = () => new HookTargets(under.records, { derive: () => Buffer.alloc(32, 7) })

  it.each([
    ['http://a.example/berth', 'http://a.example/berth', true],
    ['http://a.example/berth', 'http://a.example/berth/x?y=z', true],
    ['http://a.example/', 'http://a.example/x', true],
    ['http://a.example/berth', 'http://a.example/bertha', false],
    ['http://a.example/berth', 'http://a.example/berth/../x', false],
    ['http://a.example/berth', 'http://a.example/berth/%2e%2e/x', false],
    ['http://a.example/', 'https://a.example/', false],
    ['http://a.example/', 'http://a.example:8080/', false],
    ['http://a.example/', 'http://a.example@b.example/', false],
    ['http://a.example/', 'http://169.254.169.254/', false],
  ])('%s allows %s: %s', async (allowed, url, expected) => {
    await targets().put('ci', { url: allowed }, call)
    expect(hookTargetOf(under.state, url) !== undefined).toBe(expected)
  })

  it('has its secrets sealed, bound to where they go', async () => {
    const all = targets()
    const set = await all.put('ci', { url: `${origin}/`, secret: 'long enough' }, call)
    expect(JSON.stringify(set)).not.toContain('long enough')
    expect(all.secretOf(set)).toBe('long enough')
    expect(all.secretOf(await all.put('ci', { url: `${origin}/` }, call))).toBe('long enough')
    expect(all.secretOf(await all.put('ci', { url: 'http://other.example/' }, call))).toBeUndefined()
    for (const [name, url] of [
      ['c i', 'http://a/'],
      ['ci', 'ftp://a/'],
      ['ci', 'http://a:b@c/'],
      ['ci', 'http://a/?b'],
    ] as const)
      await expect(all.put(name, { url }, call)).rejects.toMatchObject({ code: 'hook-target.invalid' })
    await expect(all.put('ci', { url: 'http://a/', secret: 'x' }, call)).rejects.toMatchObject({
      code: 'hook-target.invalid',
    })
    await expect(all.remove('cj', call)).rejects.toThrow('did you mean ci')
  })
})
