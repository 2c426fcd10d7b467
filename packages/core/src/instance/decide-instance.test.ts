import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decideInstance } from './decide-instance.ts'
import { stepFailed } from './instance-memory.ts'
import { type InstanceContext, type InstanceMemory, newInstanceMemory } from './instance-state.ts'
import {
  decidedAssignment,
  exitedContainer,
  grantOf,
  InstanceWorld,
  runningContainer,
  type SimulatedAssignment,
} from './simulate-instance.testing.ts'

const context = (over: Partial<InstanceContext> = {}): InstanceContext => ({
  now: 5000,
  boot: 'boot-1',
  frozen: false,
  unhealthy: false,
  grant: grantOf(decidedAssignment()),
  ...over,
})

const known = (over: Partial<InstanceMemory> = {}): InstanceMemory => ({
  ...newInstanceMemory(0),
  phase: 'running',
  run: { containerId: 'c1', startedAt: 1000, afterStartDone: false },
  firstStartedAt: 1000,
  boot: 'boot-1',
  ...over,
})

const recorded = (code: number, over: Partial<InstanceMemory> = {}): InstanceMemory => {
  const { run: _, ...rest } = known()
  return { ...rest, lastCause: 'exit', lastExit: { code, outOfMemory: false, at: 2000 }, startAfter: 3000, ...over }
}

const hook = { command: ['/warm-up'], timeoutMs: 1000 }

const commandMissing = stepFailed(
  newInstanceMemory(0),
  'start',
  { code: 'command-not-found', message: 'no nosuch' },
  10,
)

describe('decideInstance', () => {
  const running = runningContainer()
  const exited = exitedContainer()
  const cases: [
    string,
    Partial<SimulatedAssignment>,
    Parameters<typeof decideInstance>[1],
    InstanceMemory,
    Partial<InstanceContext>,
    ReturnType<typeof decideInstance>,
  ][] = [
    ['a new instance is created', {}, undefined, newInstanceMemory(0), {}, { type: 'create' }],
    [
      'a missing image is fetched first',
      {},
      undefined,
      { ...newInstanceMemory(0), imageMissing: true },
      {},
      { type: 'fetch-image' },
    ],
    [
      'a failed create waits for its time',
      {},
      undefined,
      { ...newInstanceMemory(0), retry: { step: 'create', failures: 1, at: 6000 } },
      {},
      { type: 'wait', until: 6000 },
    ],
    [
      'a created container is started',
      {},
      { ...running, state: 'created' },
      newInstanceMemory(0),
      {},
      { type: 'start' },
    ],
    ['an unknown run is adopted', {}, running, newInstanceMemory(0), {}, { type: 'adopt-run' }],
    ['a known run is left alone', {}, running, known(), {}, { type: 'wait' }],
    ['draining changes nothing here', { desired: 'drain' }, running, known(), {}, { type: 'wait' }],
    ['the hook runs once per run', { afterStart: hook }, running, known(), {}, { type: 'run-after-start' }],
    ['a changed grant is put in force', { cpuMilli: 1500 }, running, known(), {}, { type: 'update-grant' }],
    ['so are other cores', { cores: '2,3:200' }, running, known(), {}, { type: 'update-grant' }],
    ['so is what others leave of the cores', {}, { ...running, cpuset: '0-3' }, known(), {}, { type: 'update-grant' }],
    [
      'a grant that the engine refused does not hold up the hook',
      { cpuMilli: 1500, afterStart: hook },
      running,
      known({ retry: { step: 'update-grant', failures: 1, at: 9000 } }),
      {},
      { type: 'run-after-start' },
    ],
    ['a restart was asked for', { restartNonce: 1 }, running, known(), {}, { type: 'stop', reason: 'restart' }],
    ['its grant of disk is exceeded', {}, running, known(), { overDisk: true }, { type: 'stop', reason: 'disk' }],
    ['liveness failed', {}, running, known(), { unhealthy: true }, { type: 'stop', reason: 'liveness' }],
    [
      'a stop that was begun goes on',
      {},
      running,
      known({ stopIntent: { reason: 'restart', run: 1000, restartNonce: 1 } }),
      {},
      { type: 'stop', reason: 'restart' },
    ],
    ['an exit is recorded', {}, exited, known(), {}, { type: 'record-exit', cause: 'exit' }],
    [
      'an exit under another boot is the node’s',
      {},
      exited,
      known(),
      { boot: 'boot-2' },
      { type: 'record-exit', cause: 'reboot' },
    ],
    ['a crash waits out its back-off', {}, exited, recorded(1), { now: 2500 }, { type: 'wait', until: 3000 }],
    ['then it is started again', {}, exited, recorded(1), {}, { type: 'start' }],
    ['a clock that was set back makes nobody wait', {}, exited, recorded(1), { now: -3_600_000 }, { type: 'start' }],
    [
      'a restart that was asked for does not wait',
      { restartNonce: 1 },
      exited,
      recorded(1),
      { now: 2500 },
      { type: 'start' },
    ],
    ['a vanished container is noticed', {}, undefined, known(), {}, { type: 'record-exit', cause: 'vanished' }],
    [
      'a vanished container is created again',
      {},
      undefined,
      recorded(255, { lastCause: 'vanished', startAfter: 0 }),
      {},
      { type: 'create' },
    ],
    ['never means never', { restart: 'never' }, exited, recorded(1), {}, { type: 'finish' }],
    ['on-failure ends after success', { restart: 'on-failure' }, exited, recorded(0), {}, { type: 'finish' }],
    ['on-failure restarts after failure', { restart: 'on-failure' }, exited, recorded(1), {}, { type: 'start' }],
    ['a job is not restarted', { type: 'job' }, exited, recorded(1), {}, { type: 'finish' }],
    [
      'a job is restarted on failure when it says so',
      { type: 'job', restart: 'on-failure' },
      exited,
      recorded(1),
      {},
      { type: 'start' },
    ],
    [
      'a job over its limit is ended',
      { type: 'job', jobTimeoutMs: 4000 },
      running,
      known(),
      {},
      { type: 'stop', reason: 'job-timeout' },
    ],
    [
      'a job whose program the image does not hold is over',
      { type: 'job', restart: 'never' },
      { ...exited, state: 'created' },
      commandMissing,
      {},
      { type: 'finish' },
    ],
    [
      'a service whose program the image does not hold is tried again',
      {},
      { ...exited, state: 'created' },
      commandMissing,
      {},
      { type: 'start' },
    ],
    [
      'a job within its limit waits for it',
      { type: 'job', jobTimeoutMs: 9000 },
      running,
      known(),
      {},
      { type: 'wait', until: 10_000 },
    ],
    ['a tombstone stops', { desired: 'stop' }, running, known(), {}, { type: 'stop', reason: 'tombstone' }],
    ['a tombstone is withheld while frozen', { desired: 'stop' }, running, known(), { frozen: true }, { type: 'wait' }],
    [
      'a stop that has begun is not frozen',
      { desired: 'stop' },
      running,
      known({ phase: 'stopping' }),
      { frozen: true },
      { type: 'stop', reason: 'tombstone' },
    ],
    [
      'then the container is removed',
      { desired: 'stop' },
      exited,
      known({ phase: 'stopping' }),
      {},
      { type: 'remove' },
    ],
    ['then it is over', { desired: 'stop' }, undefined, known({ phase: 'stopping' }), {}, { type: 'finish' }],
    ['what never ran is over at once', { desired: 'stop' }, undefined, newInstanceMemory(0), {}, { type: 'finish' }],
    [
      'an ended instance keeps its container for its logs',
      {},
      exited,
      recorded(1, { phase: 'ended' }),
      {},
      { type: 'wait' },
    ],
    [
      'a container of an earlier instance makes room',
      { createdAt: 2 },
      { ...running, createdAt: 1 },
      newInstanceMemory(0),
      {},
      { type: 'discard' },
    ],
    [
      'also for one that is to stop',
      { createdAt: 2, desired: 'stop' },
      { ...exited, createdAt: 1 },
      newInstanceMemory(0),
      {},
      { type: 'discard' },
    ],
    [
      'but not while stops are withheld',
      { createdAt: 2 },
      { ...running, createdAt: 1 },
      newInstanceMemory(0),
      { frozen: true },
      { type: 'wait' },
    ],
    [
      'one of the same instance is adopted',
      { createdAt: 1 },
      { ...running, createdAt: 1 },
      newInstanceMemory(0),
      {},
      { type: 'adopt-run' },
    ],
    ['one that does not say is adopted', { createdAt: 2 }, running, newInstanceMemory(0), {}, { type: 'adopt-run' }],
    ['until the tombstone', { desired: 'stop' }, exited, recorded(1, { phase: 'ended' }), {}, { type: 'remove' }],
  ]
  it.each(cases)('%s', (_, assignment, container, memory, over, expected) => {
    const decided = decidedAssignment(assignment)
    const given = context({ grant: grantOf(decided), ...over })
    expect(decideInstance(decided, container, memory, given)).toEqual(expected)
  })
})

/** Anything that may happen to an instance between two decisions. */
type Disturbance =
  | { type: 'exit'; code: number }
  | { type: 'oom' }
  | { type: 'removed' }
  | { type: 'predecessor'; state: 'created' | 'running' | 'exited' }
  | { type: 'unhealthy' }
  | { type: 'disk-full' }
  | { type: 'nonce' }
  | { type: 'grant'; cpuMilli: number }
  | { type: 'advance'; ms: number }
  | { type: 'reboot' }
  | { type: 'fail'; step: 'create' | 'start' | 'fetch-image' | 'update-grant' | 'stop' | 'remove' | 'discard' }
  | { type: 'heal' }
  | { type: 'image-lost' }
  | { type: 'agent-died'; steps: number }

const disturbance: fc.Arbitrary<Disturbance> = fc.oneof(
  fc.record({ type: fc.constant('exit' as const), code: fc.constantFrom(0, 1, 137) }),
  fc.constant({ type: 'oom' as const }),
  fc.constant({ type: 'removed' as const }),
  fc.record({ type: fc.constant('predecessor' as const), state: fc.constantFrom('created', 'running', 'exited') }),
  fc.constant({ type: 'unhealthy' as const }),
  fc.constant({ type: 'disk-full' as const }),
  fc.constant({ type: 'nonce' as const }),
  fc.record({ type: fc.constant('grant' as const), cpuMilli: fc.constantFrom(500, 1000, 2000) }),
  fc.record({ type: fc.constant('advance' as const), ms: fc.constantFrom(10, 1000, 30_000, 120_000) }),
  fc.constant({ type: 'reboot' as const }),
  fc.record({
    type: fc.constant('fail' as const),
    step: fc.constantFrom('create', 'start', 'fetch-image', 'update-grant', 'stop', 'remove', 'discard'),
  }),
  fc.constant({ type: 'heal' as const }),
  fc.constant({ type: 'image-lost' as const }),
  fc.record({ type: fc.constant('agent-died' as const), steps: fc.nat(3) }),
)

function disturb(world: InstanceWorld, event: Disturbance): void {
  switch (event.type) {
    case 'exit':
      world.exit(event.code)
      return
    case 'oom':
      world.exit(137, true)
      return
    case 'removed':
      world.container = undefined
      return
    case 'predecessor':
      // Somebody brings a container of an earlier instance back.
      world.container = runningContainer({ id: 'old', createdAt: 1, state: event.state })
      return
    case 'unhealthy':
      world.context = { ...world.context, unhealthy: world.container?.state === 'running' }
      return
    case 'disk-full':
      world.context = { ...world.context, overDisk: world.container?.state === 'running' }
      return
    case 'nonce':
      world.assignment = { ...world.assignment, restartNonce: world.assignment.restartNonce + 1 }
      return
    case 'grant':
      world.assignment = { ...world.assignment, cpuMilli: event.cpuMilli }
      return
    case 'advance':
      world.advance(event.ms)
      return
    case 'reboot':
      world.exit(255)
      world.context = { ...world.context, boot: `${world.context.boot}+` }
      return
    case 'fail':
      world.failing.add(event.step)
      return
    case 'heal':
      world.failing.clear()
      return
    case 'image-lost':
      world.imagePresent = false
      return
    case 'agent-died':
      // The engine did the steps; what the agent would have remembered of them is lost.
      for (let count = 0; count < event.steps; count += 1) {
        const before = world.memory
        const step = world.decide()
        if (step.type === 'wait') return
        world.apply(step)
        if (step.type !== 'stop') world.memory = before
      }
  }
}

const assignment = fc.record({
  createdAt: fc.constant(2),
  type: fc.constantFrom('service' as const, 'job' as const),
  restart: fc.constantFrom('always' as const, 'on-failure' as const, 'never' as const),
  jobTimeoutMs: fc.constantFrom(0, 20_000),
})

describe('whatever happens', () => {
  it('comes to rest, never tears down without a tombstone, and never moves a phase back', () => {
    fc.assert(
      fc.property(assignment, fc.array(disturbance, { maxLength: 25 }), (over, events) => {
        const world = new InstanceWorld(decidedAssignment(over))
        world.settle()
        for (const event of events) {
          disturb(world, event)
          world.settle()
          expect(world.decide().type).toBe('wait')
        }
        const kinds = world.steps.map((step) => (step.type === 'stop' ? step.reason : step.type))
        expect(kinds).not.toContain('remove')
        expect(kinds).not.toContain('tombstone')
      }),
      { numRuns: 3000 },
    )
  })

  it('a tombstone always ends it, with nothing left', () => {
    fc.assert(
      fc.property(assignment, fc.array(disturbance, { maxLength: 15 }), (over, events) => {
        const world = new InstanceWorld(decidedAssignment(over))
        world.settle()
        for (const event of events) {
          disturb(world, event)
          world.settle()
        }
        world.assignment = { ...world.assignment, desired: 'stop' }
        world.settle()
        world.failing.clear()
        world.advance(120_000)
        world.settle()
        expect(world.container).toBeUndefined()
        expect(world.memory.phase).toBe('ended')
        expect(world.decide()).toEqual({ type: 'wait' })
      }),
      { numRuns: 2000 },
    )
  })

  it('a service that is to run always runs again once what is in its way is gone', () => {
    fc.assert(
      fc.property(fc.array(disturbance, { maxLength: 20 }), (events) => {
        const world = new InstanceWorld(decidedAssignment({ createdAt: 2 }))
        for (const event of events) {
          disturb(world, event)
          world.settle()
        }
        world.failing.clear()
        for (let round = 0; round < 3; round += 1) {
          world.advance(120_000)
          world.settle()
        }
        expect(world.container?.state).toBe('running')
        expect(world.memory.phase).toBe('running')
        expect(world.memory.restartNonce).toBe(world.assignment.restartNonce)
      }),
      { numRuns: 2000 },
    )
  })
})
