import { describe, expect, it } from 'vitest'
import { grantChanged } from './instance-memory.ts'
import { newInstanceMemory } from './instance-state.ts'
import { instanceStatus } from './instance-status.ts'
import { exitedContainer, runningContainer } from './simulate-instance.testing.ts'

const assignment = {
  instance: 'shop.production.web-1',
  address: '10.77.0.3',
  readyTimeoutMs: 60_000,
  type: 'service' as const,
}
const running = {
  ...newInstanceMemory(0),
  phase: 'running' as const,
  run: { containerId: 'c1', startedAt: 1000, afterStartDone: true },
}
const notReady = { ready: false, message: 'GET http://10.77.0.3:8080/healthz answered 503' }

describe('instanceStatus', () => {
  it('of a ready instance has no message', () => {
    const memory = { ...running, message: 'old', messageCode: 'exited' }
    const status = instanceStatus('n1', assignment, runningContainer(), memory, { ready: true, readyAt: 1500 }, 2000)
    expect(status).toEqual({
      id: assignment.instance,
      node: 'n1',
      phase: 'running',
      ready: true,
      readyAt: 1500,
      containerId: 'c1',
      pid: 42,
      address: '10.77.0.3',
      restarts: 0,
      startedAt: 1000,
    })
  })

  it('of an ended job still says when it began', () => {
    const memory = { ...newInstanceMemory(0), phase: 'ended' as const, firstStartedAt: 1000, endedAt: 4000 }
    const status = instanceStatus('n1', { ...assignment, type: 'job' }, undefined, memory, notReady, 5000)
    expect(status).toMatchObject({ phase: 'ended', startedAt: 1000, endedAt: 4000 })
    expect(
      instanceStatus('n1', assignment, undefined, { ...memory, phase: 'assigned' }, notReady, 5000),
    ).not.toHaveProperty('startedAt')
  })

  it('of a ready instance says that a change of its grant was refused', () => {
    const retry = { step: 'update-grant' as const, failures: 1, at: 3000 }
    const memory = { ...running, retry, message: 'it uses more', messageCode: 'memory-in-use' }
    const status = (change: object) =>
      instanceStatus('n1', assignment, runningContainer(), { ...memory, ...change }, { ready: true }, 2000)
    expect(status({})).toMatchObject({ ready: true, message: 'it uses more', messageCode: 'memory-in-use' })
    expect(status({ retry: { ...retry, step: 'run-after-start' } })).not.toHaveProperty('message')
    expect(grantChanged(memory)).toEqual(running)
  })

  it.each([
    ['says what the probe got', 2000, 'not-ready', 'shop.production.web-1 is not ready: GET http'],
    [
      'says when it takes too long',
      61_000,
      'ready-timeout',
      'shop.production.web-1 is not ready 60 s after its start: GET',
    ],
  ])('%s', (_, now, messageCode, message) => {
    const status = instanceStatus('n1', assignment, runningContainer(), running, notReady, now)
    expect(status).toMatchObject({ ready: false, messageCode, message: expect.stringContaining(message) })
  })

  it('of what is being stopped says that, and nothing of a start that is long past', () => {
    const memory = { ...running, phase: 'stopping' as const, message: 'old', messageCode: 'exited' }
    const status = instanceStatus('n1', assignment, runningContainer(), memory, notReady, 600_000)
    expect(status).toMatchObject({ phase: 'stopping', ready: false, messageCode: 'stopping' })
    expect(status.message).toBe('shop.production.web-1 is being stopped: its processes have been told to end')
  })

  it('is not ready while its container does not run, whatever the probe said last', () => {
    const { run: _, ...memory } = { ...running, message: 'web-1 exited with code 1', messageCode: 'exited' }
    const status = instanceStatus(
      'n1',
      assignment,
      exitedContainer(),
      { ...memory, logTail: ['x'] },
      { ready: true },
      1,
    )
    expect(status).toMatchObject({ ready: false, messageCode: 'exited', logTail: ['x'] })
    expect(status.pid).toBeUndefined()
  })
})
