import { existsSync, rmSync, statSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { type IncomingMessage, request } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Assignment, NameTable, NetworkConfig } from '@berth/core'
import pino from 'pino'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ServiceTable } from './service-table.ts'
import { SocketKeeper } from './socket-keeper.ts'

const assignment = {
  ...{ instance: 'shop.production.web-1', app: 'shop', pool: 'production', entrypoint: 'web', ordinal: 1 },
  ...{ release: 'r1', address: '10.77.1.2', cpuMilli: 1500, memoryBytes: 67_108_864 },
  readiness: { check: { type: 'report' }, delayMs: 0, intervalMs: 1000, timeoutMs: 1000, successes: 1, failures: 3 },
  socket: {
    services: [
      { as: 'DB', app: 'shop', entrypoint: 'db', pool: 'production', host: 'db.production.shop.berth', port: 5432 },
    ],
  },
} as unknown as Assignment

const network = { pool: '10.77.0.0/16', domain: 'berth', defaultPool: 'production' } as NetworkConfig
const namesWith = (...addresses: string[]): NameTable => ({
  version: addresses.length,
  entries: addresses.map((address, index) => ({
    ...{ app: 'shop', pool: 'production', entrypoint: 'db', instance: `shop.production.db-${index + 1}`, address },
    ports: [{ name: 'sql', port: 5432, protocol: 'tcp' }],
  })),
})

let directory = ''
let keeper: SocketKeeper
let services: ServiceTable
let reported: string[]

function startKeeper(): SocketKeeper {
  services = new ServiceTable()
  reported = []
  keeper = new SocketKeeper({
    node: 'node-a',
    directoryOf: (instance) => join(directory, instance),
    services,
    log: pino({ level: 'silent' }),
    onReport: (instance) => reported.push(instance),
  })
  return keeper
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-socket-'))
  await startKeeper().ready(assignment)
})
afterEach(async () => {
  await keeper[Symbol.asyncDispose]()
  await rm(directory, { recursive: true, force: true })
})

/** A busy machine takes longer than the second for which Vitest waits by itself. */
const eventually = (assertions: () => unknown): Promise<unknown> =>
  vi.waitFor(assertions, { timeout: 15_000, interval: 10 })

const socketPath = (): string => join(directory, assignment.instance, 'berth.sock')

interface Answer {
  readonly status: number
  readonly body: string
}

function call(method: string, path: string, body?: unknown): Promise<Answer> {
  const text = typeof body === 'string' ? body : body === undefined ? '' : JSON.stringify(body)
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath: socketPath(), method, path }, async (response) => {
      let said = ''
      for await (const chunk of response) said += chunk
      resolve({ status: response.statusCode ?? 0, body: said })
    })
    asked.on('error', reject).end(text)
  })
}

describe('the socket of an instance', () => {
  it('tells it who it is', async () => {
    const { status, body } = await call('GET', '/v1/instance')
    expect(status).toBe(200)
    expect(JSON.parse(body)).toMatchObject({
      instance: assignment.instance,
      node: 'node-a',
      cpu: 1.5,
      address: '10.77.1.2',
    })
  })

  it('may be used by whoever is in the container', () => {
    expect(statSync(socketPath()).mode & 0o777).toBe(0o666)
  })

  it('takes what it says of its readiness, and the next agent knows it', async () => {
    expect(keeper.reportOf(assignment.instance)).toEqual({})
    expect((await call('PUT', '/v1/readiness', { ready: false, message: 'filling\nits cache' })).status).toBe(204)
    expect((await call('PUT', '/v1/maintenance', { on: true })).status).toBe(204)
    expect(reported).toEqual([assignment.instance, assignment.instance])
    const said = { readiness: { ready: false, message: 'filling its cache' }, maintenance: {} }
    expect(keeper.reportOf(assignment.instance)).toEqual(said)
    await keeper[Symbol.asyncDispose]()
    await startKeeper().load([assignment])
    keeper.setInstances([assignment])
    expect(keeper.reportOf(assignment.instance)).toEqual(said)
    await eventually(async () => expect((await call('PUT', '/v1/maintenance', { on: false })).status).toBe(204))
    expect(keeper.reportOf(assignment.instance)).toEqual({ readiness: said.readiness })
  })

  it('holds nothing against the next run', async () => {
    await call('PUT', '/v1/readiness', { ready: true })
    await call('PUT', '/v1/metrics', { queue: 3 })
    await keeper.ready(assignment)
    expect(keeper.reportOf(assignment.instance)).toEqual({})
    expect(keeper.metrics()).toEqual([])
    await startKeeper().load([assignment])
    expect(keeper.reportOf(assignment.instance)).toEqual({})
  })

  it('is there again at the next start when somebody has removed it', async () => {
    rmSync(join(directory, assignment.instance), { recursive: true })
    await keeper.ready(assignment)
    expect((await call('GET', '/v1/instance')).status).toBe(200)
  })

  it('goes with its instance', async () => {
    await call('PUT', '/v1/readiness', { ready: true })
    keeper.setInstances([])
    await eventually(() => expect(existsSync(socketPath())).toBe(false))
    await eventually(() => expect(existsSync(`${join(directory, assignment.instance)}.json`)).toBe(false))
  })

  it('keeps the last values of its metrics', async () => {
    await call('PUT', '/v1/metrics', { queue: 3, lag_seconds: 0.5 })
    await call('PUT', '/v1/metrics', { queue: 4 })
    expect(keeper.metrics()).toEqual([{ instance: assignment.instance, name: 'queue', value: 4 }])
  })

  it('tells what it binds, and every change of it', async () => {
    expect((await call('GET', '/v1/services')).status).toBe(503)
    services.networkIs(network)
    services.namesAre(namesWith('10.77.1.3'))
    const { body } = await call('GET', '/v1/services')
    expect(JSON.parse(body)).toEqual({
      DB: {
        ...{ host: 'db.production.shop.berth', port: 5432 },
        members: [{ instance: 'shop.production.db-1', address: '10.77.1.3', port: 5432 }],
      },
    })
    const events = await watch()
    await eventually(() => expect(events.addresses()).toEqual([['10.77.1.3']]))
    services.namesAre(namesWith('10.77.1.3', '10.77.1.4'))
    // Nothing of it has changed.
    services.namesAre(namesWith('10.77.1.3', '10.77.1.4'))
    services.namesAre(namesWith())
    await eventually(() => expect(events.addresses()).toEqual([['10.77.1.3'], ['10.77.1.3', '10.77.1.4'], []]))
    events.end()
  })

  it.each<[what: string, method: string, path: string, body: unknown, status: number, said: string]>([
    ['an unknown path', 'GET', '/v1/nothing', undefined, 404, 'there are /v1/instance'],
    ['another method', 'POST', '/v1/readiness', {}, 405, 'asked by PUT'],
    ['no JSON', 'PUT', '/v1/readiness', '{ready', 400, 'no JSON'],
    ['a list', 'PUT', '/v1/readiness', [], 400, 'a JSON object'],
    ['no word of readiness', 'PUT', '/v1/readiness', { ready: 'yes' }, 400, 'true or false'],
    ['unknown words', 'PUT', '/v1/maintenance', { on: true, until: 5 }, 400, '\\"until\\" is not known'],
    ['a metric that is no number', 'PUT', '/v1/metrics', { queue: '3' }, 400, 'a metric is a number'],
    ['a metric of a strange name', 'PUT', '/v1/metrics', { 'a b': 3 }, 400, 'is no name of a metric'],
    [
      'metrics without end',
      'PUT',
      '/v1/metrics',
      Object.fromEntries(Array.from({ length: 65 }, (_, n) => [`m${n}`, n])),
      400,
      'too many',
    ],
    ['a body without end', 'PUT', '/v1/metrics', 'x'.repeat(20_000), 413, 'send less'],
  ])('refuses %s', async (_, method, path, body, status, said) => {
    const answer = await call(method, path, body)
    expect(answer.status).toBe(status)
    expect(answer.body).toContain(said)
    expect(reported).toEqual([])
  })

  it('says so when nobody asks for its readiness', async () => {
    const probed = { ...assignment, readiness: undefined } as unknown as Assignment
    keeper.setInstances([probed])
    const { status, body } = await call('PUT', '/v1/readiness', { ready: true })
    expect(status).toBe(409)
    expect(body).toContain('health: {readiness: report}')
  })

  it('answers on although many connect and say nothing', async () => {
    const idle = Array.from({ length: 40 }, () => connect(socketPath()).on('error', () => undefined))
    await eventually(() => expect(idle.filter((each) => each.destroyed).length).toBeGreaterThanOrEqual(8))
    for (const each of idle) each.destroy()
    await eventually(async () => expect((await call('GET', '/v1/instance')).status).toBe(200))
  })
})

interface Watching {
  addresses(): string[][]
  end(): void
}

function watch(): Promise<Watching> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath: socketPath(), path: '/v1/services/watch' }, (response: IncomingMessage) => {
      let said = ''
      response.on('data', (chunk: Buffer) => {
        said += chunk.toString()
      })
      resolve({
        addresses: () =>
          [...said.matchAll(/^data: (.*)$/gm)].map(([, text = '']) => {
            const { DB } = JSON.parse(text) as {
              readonly DB: { readonly members: readonly { readonly address: string }[] }
            }
            return DB.members.map(({ address }) => address)
          }),
        end: () => asked.destroy(),
      })
    })
    asked.on('error', (error) => reject(error)).end()
  })
}
