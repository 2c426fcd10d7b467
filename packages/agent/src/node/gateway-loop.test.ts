import { BerthError, type MemberState, noRequests, type RequestRow, type RouteTable } from '@berth/core'
import { pino } from 'pino'
import { afterEach, describe, expect, it } from 'vitest'
import type { Gateway, GatewayStatus, WorkerCounts } from '../gateway/gateway.ts'
import { waitUntil } from '../testing/wait-until.ts'
import { GatewayLoop, type GatewayReport } from './gateway-loop.ts'

class PretendedGateway implements Gateway {
  running = false
  starts = 0
  applied: { version: number; force: boolean }[] = []
  inflight: Record<string, number> = {}
  refuses: ((table: RouteTable) => BerthError | undefined) | undefined
  hold: Promise<void> | undefined
  startsAt: number[] = []
  /** It ends again as soon as it was started. */
  isBroken = false
  #listener: () => void = () => undefined

  async start(): Promise<void> {
    this.starts += 1
    this.startsAt.push(performance.now())
    this.running = true
    if (this.isBroken) this.die()
  }

  async apply(table: RouteTable, options: { force?: boolean } = {}): Promise<void> {
    await this.hold
    if (!this.running) throw new BerthError('gateway.not-running', 'nobody listens')
    const refusal = this.refuses?.(table)
    if (refusal !== undefined) throw refusal
    this.applied.push({ version: table.version, force: options.force ?? false })
  }

  looks = 0
  async status(): Promise<GatewayStatus> {
    this.looks += 1
    const version = this.applied.at(-1)?.version ?? 0
    return { running: this.running, version, inflight: this.inflight } as unknown as GatewayStatus
  }

  workers: WorkerCounts['workers'] = []
  /** Whether only what has changed was asked for, each time. */
  counted: boolean[] = []
  async counts(options: { changed?: string } = {}): Promise<WorkerCounts> {
    this.counted.push(options.changed === 'since')
    return { isComplete: true, hasMore: false, workers: this.workers }
  }

  onEnd(listener: () => void): () => void {
    this.#listener = listener
    return () => undefined
  }

  /** nginx is killed. */
  die(): void {
    this.running = false
    this.#listener()
  }

  async stop(): Promise<void> {}
  async [Symbol.asyncDispose](): Promise<void> {}
}

const table = (version: number, members: Record<string, MemberState> = {}): RouteTable => ({
  version,
  certificates: [],
  routes: [
    {
      id: 'r',
      host: '*',
      path: '/',
      tls: 'off',
      timeoutMs: 1000,
      targets: [
        {
          pool: 'shop/production/web',
          weight: 1,
          members: Object.entries(members).map(([address, state]) => ({
            instance: address,
            address,
            port: 80,
            weight: 1,
            state,
          })),
        },
      ],
    },
  ],
})

let loop: GatewayLoop | undefined
afterEach(async () => await loop?.[Symbol.asyncDispose]())

function start(gateway: PretendedGateway) {
  const requests: (readonly RequestRow[])[] = []
  const seen = { reports: [] as GatewayReport[], requests, problem: undefined as string | undefined, forced: 0 }
  loop = new GatewayLoop({
    gateway,
    log: pino({ level: 'silent' }),
    onReport: (report) => seen.reports.push(report),
    onRequests: (rows) => seen.requests.push(structuredClone(rows)),
    onForced: () => {
      seen.forced += 1
    },
    onProblem: (problem) => {
      seen.problem = problem
    },
  })
  return { loop, seen }
}

describe('GatewayLoop', () => {
  it('starts the gateway, applies a table and says when it is in force', async () => {
    const gateway = new PretendedGateway()
    const { loop, seen } = start(gateway)
    loop.apply(table(7))
    await waitUntil('the report', () => seen.reports.at(-1)?.version === 7)
    expect(loop.isRunning).toBe(true)
    expect(loop.report).toEqual({ version: 7, inflight: {} })
  })

  it('applies only the last of tables that come faster than they can be applied', async () => {
    const gateway = new PretendedGateway()
    const gate = Promise.withResolvers<void>()
    gateway.hold = gate.promise
    const { loop, seen } = start(gateway)
    for (let version = 1; version <= 50; version += 1) {
      loop.apply(table(version))
      if (version === 1) await waitUntil('the start', () => gateway.starts === 1)
    }
    gate.resolve()
    await waitUntil('the last', () => seen.reports.at(-1)?.version === 50)
    expect(gateway.applied.length).toBeLessThanOrEqual(2)
  })

  it('follows what leaving members still serve, and nothing of the others', async () => {
    const gateway = new PretendedGateway()
    const { loop, seen } = start(gateway)
    gateway.inflight = { '10.0.0.1:80': 5, '10.0.0.2:80': 3 }
    loop.apply(table(1, { '10.0.0.1': 'active', '10.0.0.2': 'draining' }))
    await waitUntil('3 in flight', () => seen.reports.at(-1)?.inflight['10.0.0.2:80'] === 3)
    gateway.inflight = { '10.0.0.1:80': 9, '10.0.0.2:80': 0 }
    await waitUntil('none in flight', () => seen.reports.at(-1)?.inflight['10.0.0.2:80'] === 0)
    expect(seen.reports.every((report) => report.inflight['10.0.0.1:80'] === undefined)).toBe(true)
  })

  it('keeps what is in force when a table is refused, and takes the next', async () => {
    const gateway = new PretendedGateway()
    const { loop, seen } = start(gateway)
    gateway.refuses = ({ version }) =>
      version === 2 ? new BerthError('gateway.invalid-table', 'no such host') : undefined
    loop.apply(table(1))
    await waitUntil('the first', () => seen.reports.at(-1)?.version === 1)
    loop.apply(table(2))
    await waitUntil('the problem', () => seen.problem?.includes('no such host'))
    const looks = gateway.looks
    await waitUntil('another look', () => gateway.looks > looks + 1)
    expect(seen.problem).toContain('no such host')
    loop.apply(table(3), true)
    await waitUntil('the third', () => seen.reports.at(-1)?.version === 3)
    expect(gateway.applied).toEqual([
      { version: 1, force: false },
      { version: 3, force: true },
    ])
    expect(seen.forced).toBe(1)
  })

  it('tells what became of requests, all at first and then what has changed, every two seconds at most', async () => {
    const gateway = new PretendedGateway()
    const counts = noRequests().with(1, 3)
    const row = { route: 'r', pool: 'shop/production/web', instance: 'web-1', counts }
    gateway.workers = [{ pid: 1, rows: [{ ...row, key: 'k' }] }]
    const { loop, seen } = start(gateway)
    loop.apply(table(1))
    await waitUntil('the first', () => seen.requests.length === 1)
    const at = performance.now()
    expect(seen.requests[0]).toEqual([row])
    gateway.workers = [{ pid: 1, rows: [] }]
    await waitUntil('another', () => seen.requests.length === 2)
    expect(performance.now() - at).toBeGreaterThan(1_900)
    expect([seen.requests[1], loop.requests, gateway.counted]).toEqual([[], [row], [false, true]])
  })

  it('starts nginx again at once when it has died', async () => {
    const gateway = new PretendedGateway()
    const { loop, seen } = start(gateway)
    loop.apply(table(1))
    await waitUntil('the first', () => seen.reports.at(-1)?.version === 1)
    expect(loop.restartedAt).toBeUndefined()
    const diedAt = performance.now()
    gateway.die()
    await waitUntil('another start', () => gateway.starts === 2)
    // Before its next look, even on a busy machine.
    expect((gateway.startsAt[1] ?? 0) - diedAt).toBeLessThan(900)
    await waitUntil('the problem to be gone', () => seen.problem === undefined)
    // It may have been started from an older table than the one that was in force.
    await waitUntil('the table again', () => gateway.applied.length === 2)
    expect(gateway.applied.map(({ version }) => version)).toEqual([1, 1])
    expect(Math.abs((loop.restartedAt ?? 0) - Date.now())).toBeLessThan(10_000)
  })

  it('starts nginx again that died as a table came', async () => {
    const gateway = new PretendedGateway()
    const { loop, seen } = start(gateway)
    loop.apply(table(1))
    await waitUntil('the first', () => seen.reports.at(-1)?.version === 1)
    gateway.running = false
    loop.apply(table(2))
    await waitUntil('the second', () => seen.reports.at(-1)?.version === 2)
    expect(gateway.starts).toBe(2)
  })

  it('waits longer and longer for one that ends again and again, whatever happens meanwhile', async () => {
    const gateway = new PretendedGateway()
    gateway.isBroken = true
    const { loop } = start(gateway)
    const tables = setInterval(() => loop.apply(table(gateway.starts)), 5)
    try {
      await waitUntil('five starts', () => gateway.starts === 5)
    } finally {
      clearInterval(tables)
    }
    const pauses = gateway.startsAt.slice(1).map((at, index) => at - (gateway.startsAt[index] ?? 0))
    for (const [index, atLeastMs] of [0, 100, 200, 400].entries()) {
      expect(pauses[index]).toBeGreaterThanOrEqual(atLeastMs * 0.95)
      expect(pauses[index]).toBeLessThan(atLeastMs + 5_000)
    }
  })
})
