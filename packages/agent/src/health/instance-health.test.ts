import { afterEach, describe, expect, it } from 'vitest'
import { waitUntil } from '../testing/wait-until.ts'
import { InstanceHealth } from './instance-health.ts'
import type { RunProbe } from './probe.ts'

const spec = { delayMs: 0, intervalMs: 20, timeoutMs: 100, successes: 1, failures: 1 }
const check = { type: 'tcp', port: 80 } as const
let health: InstanceHealth | undefined
afterEach(async () => await health?.[Symbol.asyncDispose]())

function watch(probe: RunProbe, over: { readonly startedAt?: number; readonly delayMs?: number } = {}): InstanceHealth {
  const { startedAt = Date.now(), delayMs = 0 } = over
  health = new InstanceHealth({
    assignment: { ports: [], type: 'service', readiness: { ...spec, delayMs, check } },
    target: { address: '127.0.0.1', containerId: 'c1' },
    startedAt,
    probe,
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
})
