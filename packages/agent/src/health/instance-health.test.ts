import { afterEach, describe, expect, it } from 'vitest'
import type { InstanceReport } from '../socket/instance-report.ts'
import { waitUntil } from '../testing/wait-until.ts'
import { InstanceHealth } from './instance-health.ts'
import type { RunProbe } from './probe.ts'

const spec = { delayMs: 0, intervalMs: 20, timeoutMs: 100, successes: 1, failures: 1 }
const check = { type: 'tcp', port: 80 } as const
let health: InstanceHealth | undefined
afterEach(async () => await health?.[Symbol.asyncDispose]())

function watch(
  probe: RunProbe,
  over: { readonly startedAt?: number; readonly delayMs?: number; readonly report?: () => InstanceReport } = {},
): InstanceHealth {
  const { startedAt = Date.now(), delayMs = 0, report } = over
  health = new InstanceHealth({
    assignment: { ports: [], type: 'service', readiness: { ...spec, delayMs, check } },
    target: { address: '127.0.0.1', containerId: 'c1' },
    startedAt,
    probe,
    ...(report === undefined ? {} : { report }),
    onChange: () => undefined,
  })
  return health
}

describe('InstanceHealth', () => {
  it('asks soon although the clock was set back by an hour since the start', async () => {
    const health = watch(async () => ({ type: 'success' }), { startedAt: Date.now() + 3_600_000, delayMs: 50 })
    await waitUntil('it to be ready', () => health.state.ready, 5_000)
    expect(health.state.known).toBe(true)
  })

  it('goes on after a probe that could not be tried, and says so', async () => {
    let tries = 0
    const health = watch(async () => {
      tries += 1
      if (tries < 3) throw new RangeError('Port should be >= 0 and < 65536')
      return { type: 'success' }
    })
    await waitUntil('a first result', () => health.state.known)
    expect(health.state.message).toContain('could not be tried: Port should be')
    await waitUntil('it to be ready', () => health.state.ready, 5_000)
    expect(tries).toBe(3)
  })

  it('goes by what the program says where that is asked for, and takes up what it said to an agent before', async () => {
    let said: InstanceReport = {}
    const start = (readyAt?: number): InstanceHealth => {
      health = new InstanceHealth({
        assignment: { ports: [], type: 'service', readiness: { ...spec, check: { type: 'report' } } },
        target: { address: '127.0.0.1', containerId: 'c1' },
        startedAt: Date.now(),
        ...(readyAt === undefined ? {} : { readyAt }),
        probe: () => Promise.reject(new Error('nothing is to be asked')),
        report: () => said,
        onChange: () => undefined,
      })
      return health
    }
    const first = start()
    expect(first.state).toMatchObject({
      ready: false,
      known: true,
      message: expect.stringContaining('not said at its socket'),
    })
    said = { readiness: { ready: true } }
    first.reported()
    expect(first.state).toMatchObject({ ready: true, readyAt: expect.any(Number) })
    await first[Symbol.asyncDispose]()
    expect(start(1_000).state).toMatchObject({ ready: true, readyAt: 1_000 })
    said = { readiness: { ready: false, message: 'filling its cache' } }
    health?.reported()
    expect(health?.state).toMatchObject({ ready: false, message: 'it says that it is not ready: filling its cache' })
    expect(health?.state.readyAt).toBeUndefined()
  })

  it('is not ready in maintenance, whatever its probe finds', async () => {
    let said: InstanceReport = { maintenance: { message: 'migrating' } }
    const health = watch(async () => ({ type: 'success' }), { report: () => said })
    await waitUntil('a first result', () => health.state.known)
    expect(health.state).toMatchObject({ ready: false, message: 'it says that it is in maintenance: migrating' })
    said = {}
    health.reported()
    expect(health.state.ready).toBe(true)
  })
})
