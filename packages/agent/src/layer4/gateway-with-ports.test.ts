import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BerthError, type PortRoute, type RouteTable } from '@berth/core'
import pino from 'pino'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { Gateway, GatewayStatus } from '../gateway/gateway.ts'
import { stoppedStatus } from '../gateway/gateway-status.ts'
import type { Exec } from '../network/run-command.ts'
import { GatewayWithPorts } from './gateway-with-ports.ts'
import { PortRouteKeeper } from './port-route-keeper.ts'

/** A kernel that takes what it is told, or refuses it. */
let rulesets: string[]
let refusal: string | undefined
let connections: string
const exec: Exec = async (file, args, { input = '' } = {}) => {
  if (file === 'conntrack') return { code: 0, stdout: args.includes('ipv4') ? connections : '', stderr: '' }
  if (args.includes('-f') && refusal !== undefined) return { code: 1, stdout: '', stderr: refusal }
  if (args.includes('-f')) rulesets.push(input)
  return { code: 0, stdout: args.includes('-j') ? '{}' : (rulesets.at(-1) ?? ''), stderr: '' }
}

let nginx: { status: GatewayStatus; startProblem?: BerthError; applied: number[] }
const gatewayOf = (): Gateway => ({
  start: async () => {
    if (nginx.startProblem !== undefined) throw nginx.startProblem
  },
  apply: async ({ version }) => {
    nginx.applied.push(version)
    nginx.status = { ...nginx.status, version }
  },
  status: async () => nginx.status,
  counts: async () => ({ isComplete: true, hasMore: false, workers: [] }),
  onEnd: () => () => undefined,
  stop: async () => undefined,
  [Symbol.asyncDispose]: async () => undefined,
})

let directory: string
let problems: (string | undefined)[]
const open = () => {
  const onProblem = (problem: string | undefined) => problems.push(problem)
  const place = () => ({ own: ['10.77.1.0/24'], pools: ['10.77.0.0/16'], gateway: '10.77.1.1' })
  const keeper = new PortRouteKeeper({
    directory,
    log: pino({ level: 'silent' }),
    exec,
    place,
    onProblem,
    procNet: '/nowhere',
  })
  return new GatewayWithPorts(gatewayOf(), keeper)
}
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-ports-'))
  ;[rulesets, refusal, connections, problems] = [[], undefined, '', []]
  nginx = { status: { ...stoppedStatus, running: true, inflight: { '10.77.1.2:8080': 1 } }, applied: [] }
})
afterEach(() => rm(directory, { recursive: true, force: true }))

const member = { instance: 'a', address: '10.77.1.2', port: 8080, weight: 1, state: 'active' } as const
const port: PortRoute = {
  id: 'a',
  protocol: 'tcp',
  port: 5432,
  targets: [{ pool: 'shop/production/db', weight: 1, members: [member] }],
}
const table = (version: number, ...ports: PortRoute[]): RouteTable => ({ version, routes: [], certificates: [], ports })
const tracked = (address: string, state = 'ESTABLISHED', mark = 134217728) =>
  `tcp 6 431999 ${state} src=192.0.2.9 dst=192.0.2.1 sport=40000 dport=5432 src=${address} dst=192.0.2.9 sport=8080 dport=40000 [ASSURED] mark=${mark} use=1\n`

it('tells a version when both have it in force, and connections with requests', async () => {
  const gateway = open()
  connections =
    tracked('10.77.1.2') +
    tracked('10.77.1.2', 'TIME_WAIT') +
    tracked('10.77.1.3') +
    tracked('10.77.1.4', 'ESTABLISHED', 0)
  await gateway.apply(table(7, port))
  expect(await gateway.status()).toMatchObject({ version: 7, inflight: { '10.77.1.2:8080': 2, '10.77.1.3:8080': 1 } })
  refusal = 'no such thing'
  await expect(gateway.apply(table(8, { ...port, port: 5433 }))).rejects.toThrow('no such thing')
  expect(await gateway.status()).toMatchObject({ version: 7 })
  refusal = undefined
  await gateway.apply(table(8, { ...port, port: 5433 }))
  expect(await gateway.status()).toMatchObject({ version: 8 })
})

it('leaves nginx to itself while there are no ports, whatever the kernel says', async () => {
  refusal = 'no such thing'
  const gateway = open()
  await gateway.start()
  await gateway.apply(table(3))
  expect(await gateway.status()).toMatchObject({ version: 3, inflight: { '10.77.1.2:8080': 1 } })
  expect(problems).toEqual([expect.stringContaining('no such thing')])
  refusal = undefined
  await gateway.apply(table(4))
  expect([rulesets.length, problems.at(-1)]).toEqual([1, undefined])
  await gateway.apply(table(5))
  expect([rulesets.length, nginx.applied]).toEqual([1, [3, 4, 5]])
})

it('serves ports as they were where nginx cannot be started, and forgets them when it is to end', async () => {
  await open().apply(table(7, port))
  nginx.startProblem = new BerthError('gateway.port-taken', 'taken')
  const gateway = open()
  rulesets = []
  await expect(gateway.start()).rejects.toThrow('taken')
  expect(rulesets.at(-1)).toContain('5432')
  await gateway.stop()
  rulesets = []
  delete nginx.startProblem
  await open().start()
  expect(rulesets).toEqual([])
})
