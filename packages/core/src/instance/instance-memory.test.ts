import { describe, expect, it } from 'vitest'
import { backoffMs } from './backoff.ts'
import { exitRecorded, instanceEnded, stepFailed } from './instance-memory.ts'
import { type ExitCause, newInstanceMemory, type ObservedContainer } from './instance-state.ts'
import { exitedContainer, InstanceWorld } from './simulate-instance.testing.ts'

describe('backoffMs', () => {
  it.each([
    [0, 0],
    [1, 1000],
    [2, 2000],
    [6, 32_000],
    [7, 60_000],
    [1000, 60_000],
  ])('after %i failures waits %i ms', (failures, expected) => {
    expect(backoffMs(failures)).toBe(expected)
  })
})

describe('exitRecorded', () => {
  const assignment = { instance: 'shop.production.web-1', memoryBytes: 64 * 2 ** 20, jobTimeoutMs: 30_000 }
  const cases: [string, Partial<ObservedContainer>, ExitCause, string | undefined, string | undefined][] = [
    ['an exit at once', { exitCode: 3 }, 'exit', 'exited', 'shop.production.web-1 exited with code 3 after 1.0 s'],
    ['an end by signal', { exitCode: 139 }, 'exit', 'exited', '… exited with code 139 (SIGSEGV) after 1.0 s'],
    [
      'out of memory',
      { exitCode: 137, outOfMemory: true },
      'exit',
      'out-of-memory',
      '… was killed after 1.0 s: out of memory (limit 64 MiB); raise memory in berth.yaml or use less',
    ],
    [
      'a job over its time',
      { exitCode: 143 },
      'job-timeout',
      'job-timeout',
      '… was ended after its time limit of 30 s',
    ],
    ['a restart that was asked for', { exitCode: 143 }, 'restart', undefined, undefined],
    ['a reboot', { exitCode: 255 }, 'reboot', 'rebooted', '… ended when its node went down'],
  ]
  it.each(cases)('%s', (_, container, cause, code, message) => {
    const memory = exitRecorded(newInstanceMemory(0), assignment, exitedContainer(container), cause, 9000, [
      'last words',
    ])
    expect(memory.messageCode).toBe(code)
    expect(memory.message).toBe(message?.replace('…', assignment.instance))
    expect(memory.lastExit).toMatchObject({ code: container.exitCode, at: 2000 })
    expect(memory.logTail).toEqual(['last words'])
  })
})

describe('the back-off of restarts', () => {
  it('grows from 1 s to 60 s and begins again after a stable run', () => {
    const world = new InstanceWorld()
    world.settle()
    const waits: number[] = []
    for (let crash = 0; crash < 8; crash += 1) {
      world.exit(1)
      const rest = world.settle()
      const waitMs = (rest.type === 'wait' ? (rest.until ?? 0) : 0) - world.context.now
      waits.push(waitMs)
      world.advance(waitMs)
      world.settle()
    }
    expect(waits).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000])
    expect(world.memory.restarts).toBe(8)
    world.advance(60_000)
    world.exit(1)
    expect(world.settle()).toEqual({ type: 'wait', until: world.context.now + 1000 })
  })

  it('counts runs that ended before anybody saw them', () => {
    const world = new InstanceWorld()
    for (let run = 0; run < 3; run += 1) {
      world.container = exitedContainer({ startedAt: world.context.now - 10, finishedAt: world.context.now })
      world.apply(world.decide())
      world.advance(120_000)
    }
    expect(world.memory).toMatchObject({ restarts: 2, crashes: 3 })
  })

  it('does not count a reboot or a restart that was asked for', () => {
    const world = new InstanceWorld()
    world.settle()
    world.exit(255)
    world.context = { ...world.context, boot: 'boot-2' }
    world.settle()
    world.assignment = { ...world.assignment, restartNonce: 4 }
    world.settle()
    expect(world.container?.state).toBe('running')
    expect(world.memory).toMatchObject({ restarts: 2, crashes: 0, restartNonce: 4, boot: 'boot-2' })
  })
})

describe('stepFailed', () => {
  it('asks for the image when that is what is missing, without waiting', () => {
    const memory = stepFailed(newInstanceMemory(0), 'create', { code: 'image-missing', message: 'no image' }, 10)
    expect(memory).toMatchObject({ imageMissing: true, message: 'no image' })
    expect(memory.retry).toBeUndefined()
  })

  it('a program that is not there ends as it does in a shell', () => {
    const failure = { code: 'command-not-found', message: 'start container: no nosuch' }
    const failed = stepFailed(newInstanceMemory(0), 'start', failure, 10)
    expect(instanceEnded(failed, 20)).toMatchObject({
      phase: 'ended',
      endedAt: 20,
      lastExit: { code: 127, outOfMemory: false, at: 20 },
      logTail: [failure.message],
      message: failure.message,
    })
    const other = stepFailed(newInstanceMemory(0), 'create', { code: 'disk-full', message: 'full' }, 10)
    expect(instanceEnded(other, 20).lastExit).toBeUndefined()
  })

  it('reports the reason and tries again later and later', () => {
    const failure = { code: 'disk-full', message: 'create container web-1: no space left' }
    const once = stepFailed(newInstanceMemory(0), 'create', failure, 10)
    const twice = stepFailed(once, 'create', failure, 2000)
    expect(once.retry).toEqual({ step: 'create', failures: 1, at: 1010 })
    expect(twice.retry).toEqual({ step: 'create', failures: 2, at: 4000 })
    expect(twice.message).toBe(failure.message)
  })
})
