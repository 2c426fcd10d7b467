import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Assignment, BerthError, type InstanceStatus } from '@berth/core'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { CoreKeeper } from '../cores/core-keeper.ts'
import type { ProbeResult } from '../health/probe.ts'
import { InstanceStore } from '../state/instance-store.ts'
import { createSealer } from '../state/sealer.ts'
import { PretendedEngine } from '../testing/pretended-engine.ts'
import { testAssignment } from '../testing/test-node.ts'
import { waitUntil } from '../testing/wait-until.ts'
import { labels } from './container-spec.ts'
import { InstanceKeepers } from './instance-keepers.ts'
import { Reconciler } from './reconciler.ts'
import { RuntimeFiles } from './runtime-files.ts'

const log = pino({ level: 'silent' })
const sealer = createSealer(Buffer.alloc(32, 1))
const signal = new AbortController().signal

/** One agent over what outlives it: engine and disk. */
class PretendedAgent implements AsyncDisposable {
  readonly reconciler: Reconciler
  readonly statuses = new Map<string, InstanceStatus>()
  readonly store: InstanceStore
  frozen = false
  probe: ProbeResult = { type: 'success' }
  /** Runs before each turn of a worker. */
  onTurn = (): void => undefined

  private constructor(engine: PretendedEngine, files: RuntimeFiles) {
    this.store = new InstanceStore(join(directory, 'state/agent/instances'), sealer, log)
    this.reconciler = new Reconciler({
      node: 'node-a',
      cluster: 'cluster',
      networkName: 'berth',
      networkDriver: () => 'bridge',
      pidsLimit: 100,
      boot: 'boot-1',
      engine: engine.engine,
      files,
      store: this.store,
      sealer,
      reportOf: () => ({}),
      probe: async () => this.probe,
      keepers: new InstanceKeepers([]),
      cores: new CoreKeeper({ log, online: () => [0, 1], onUnboundMoved: () => undefined }),
      log,
      imageUsers: new Map(),
      frozen: () => this.frozen,
      engineUp: async () => this.onTurn(),
      onStatus: (status) => this.statuses.set(status.id, status),
      onImageMissing: () => undefined,
      onStoreProblem: () => undefined,
    })
  }

  static async start(): Promise<PretendedAgent> {
    const agent = new PretendedAgent(engine, files)
    agent.reconciler.start(await agent.store.load())
    await agent.reconciler.relist(signal)
    return agent
  }

  until(what: string, instance: string, condition: (status: InstanceStatus) => boolean): Promise<InstanceStatus> {
    const find = (): InstanceStatus | false => {
      const status = this.statuses.get(instance)
      return status !== undefined && condition(status) && status
    }
    return waitUntil(what, find, 5_000, () => JSON.stringify([this.statuses.get(instance), engine.done]))
  }

  ready({ instance, createdAt }: Assignment): Promise<InstanceStatus> {
    return this.until('it to be ready', instance, (status) => status.ready && status.createdAt === createdAt)
  }

  async end(assignment: Assignment): Promise<void> {
    void this.reconciler.assign({ ...assignment, desired: 'stop' })
    await this.until('its end', assignment.instance, (status) => status.phase === 'ended')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.reconciler[Symbol.asyncDispose]()
    await this.store[Symbol.asyncDispose]()
  }
}

let directory: string
let engine: PretendedEngine
let files: RuntimeFiles
const agents: PretendedAgent[] = []

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'berth-reconciler-'))
  engine = new PretendedEngine()
  files = new RuntimeFiles({
    stateDir: join(directory, 'state'),
    runDir: join(directory, 'run'),
    log,
    keepEndedMs: 1e6,
  })
  await files.open()
})
afterEach(async () => {
  for (const agent of agents.splice(0)) await agent[Symbol.asyncDispose]()
  await files.unmount()
  rmSync(directory, { recursive: true })
})

async function start(): Promise<PretendedAgent> {
  const agent = await PretendedAgent.start()
  agents.push(agent)
  return agent
}

/** The process dies: what it was about to do is lost, engine and disk stay. */
async function restart(agent: PretendedAgent): Promise<PretendedAgent> {
  await agent[Symbol.asyncDispose]()
  return await start()
}

const first = testAssignment(1, { createdAt: 1_000, secrets: [{ file: 'key', value: 'one' }] })
const second = testAssignment(1, { createdAt: 2_000, release: 'v2', secrets: [{ file: 'key', value: 'two' }] })
const id = first.instance
const records = (): string[] => readdirSync(join(directory, 'state/agent/instances'))

describe('an instance whose id was another’s before', () => {
  it('starts although the end of the other was not forgotten yet', async () => {
    const agent = await start()
    await agent.reconciler.assign(first)
    await agent.ready(first)
    writeFileSync(join(files.persistOf(first), 'state'), 'of the first')
    await agent.end(first)
    await agent.reconciler.assign(second)
    expect((await agent.ready(second)).containerId).toBe('c2')
    expect(await files.hasSecrets(id)).toBe(true)
    expect(readdirSync(files.persistOf(second))).toEqual(['logs'])
    // The word to forget the first one comes late.
    await agent.reconciler.forget(id, first.createdAt)
    expect(agent.reconciler.status(id)).toMatchObject({ createdAt: 2_000, phase: 'running', ready: true })
  })

  it('starts when the agent was down while the other was forgotten', async () => {
    const before = await start()
    await before.reconciler.assign(first)
    await before.ready(first)
    await before.end(first)
    const agent = await restart(before)
    await agent.reconciler.applySnapshot([second])
    expect((await agent.ready(second)).containerId).toBe('c2')
  })

  it('starts after the other was ended, when that still runs', async () => {
    const agent = await start()
    await agent.reconciler.assign(first)
    await agent.ready(first)
    const gate = Promise.withResolvers<void>()
    engine.gates.set('stop', gate.promise)
    await agent.reconciler.assign(second)
    const waiting = await agent.until('it to wait', id, (status) => status.createdAt === 2_000)
    expect(waiting).toMatchObject({ phase: 'assigned', ready: false, messageCode: 'name-taken' })
    gate.resolve()
    await agent.ready(second)
    const name = (what: string): string => `${what} ${id}`
    expect(engine.done).toEqual(['create', 'start', 'stop', 'remove', 'create', 'start'].map(name))
  })

  it('comes to its turn although the agent died while it ended the other', async () => {
    const before = await start()
    await before.reconciler.assign(first)
    await before.ready(first)
    const gate = Promise.withResolvers<void>()
    // The agent may have ended before it came there.
    gate.promise.catch(() => undefined)
    engine.gates.set('remove', gate.promise)
    void before.reconciler.assign(second)
    await waitUntil('the stop', () => engine.done.includes(`stop ${id}`))
    const dying = before[Symbol.asyncDispose]()
    gate.reject(new BerthError('engine.unreachable', 'the agent died'))
    await dying
    engine.gates.clear()
    const agent = await start()
    await agent.reconciler.applySnapshot([second])
    await agent.ready(second)
    expect([...engine.containers.values()].map((each) => each.labels[labels.created])).toEqual(['2000'])
  })

  it('leaves alone what runs while stops are withheld', async () => {
    const agent = await start()
    await agent.reconciler.assign(first)
    const { containerId } = await agent.ready(first)
    agent.frozen = true
    await agent.reconciler.assign(second)
    expect(agent.reconciler.status(id)).toMatchObject({ createdAt: 1_000, ready: true, containerId })
    agent.frozen = false
    await agent.reconciler.applySnapshot([second])
    await agent.ready(second)
  })

  it.each([
    ['of which only the container is left', 'unreadable'],
    ['whose record was lost', 'lost'],
  ])('takes the place of one %s', async (_, how) => {
    const before = await start()
    await before.reconciler.assign(first)
    await before.ready(first)
    await before[Symbol.asyncDispose]()
    for (const name of records()) rmSync(join(directory, 'state/agent/instances', name))
    const [container] = engine.containers.values()
    if (container === undefined) throw new Error('there is no container')
    if (how === 'unreadable')
      engine.containers.set(container.id, { ...container, labels: { ...container.labels, [labels.sealed]: 'rubbish' } })
    const agent = await start()
    expect(agent.reconciler.status(id)).toMatchObject({ createdAt: 1_000, containerId: container.id })
    await agent.reconciler.applySnapshot([second])
    await agent.ready(second)
    expect(engine.byName(id)?.labels[labels.created]).toBe('2000')
  })

  it('finds a container of the other before the first list', async () => {
    await files.makeSources(first)
    writeFileSync(join(files.persistOf(first), 'state'), 'of the first')
    engine.place({ name: id, labels: { [labels.instance]: id, [labels.created]: '1000' } })
    const agent = await start()
    await agent.reconciler.applySnapshot([second])
    await agent.ready(second)
    expect(engine.containers.has('c1')).toBe(false)
    expect(readdirSync(files.persistOf(second))).toEqual(['logs'])
  })
})

describe('the same instance', () => {
  it.each([
    ['told again', '1000'],
    ['from before incarnations were told apart', undefined],
  ])('is adopted by an agent that comes back: %s', async (_, created) => {
    const before = await start()
    await before.reconciler.assign(first)
    const { containerId = '' } = await before.ready(first)
    await before[Symbol.asyncDispose]()
    const view = engine.containers.get(containerId)
    if (view === undefined) throw new Error('there is no container')
    const { [labels.created]: _created, ...rest } = view.labels
    const found = created === undefined ? rest : { ...rest, [labels.created]: created }
    engine.containers.set(containerId, { ...view, labels: found })
    const agent = await start()
    await agent.reconciler.applySnapshot([first])
    expect(await agent.ready(first)).toMatchObject({ containerId })
    expect(engine.done).toEqual([`create ${id}`, `start ${id}`])
  })

  it('runs for all that is told once it has been looked at, and no call waits for that for ever', async () => {
    const before = await start()
    await before.reconciler.assign(first)
    const { containerId = '' } = await before.ready(first)
    await before[Symbol.asyncDispose]()
    const gate = Promise.withResolvers<void>()
    engine.gates.set('inspect', gate.promise)
    const agent = await start()
    await agent.reconciler.looked(id, 1)
    expect(agent.reconciler.status(id)?.pid).toBeUndefined()
    const looked = agent.reconciler.looked(id, 60_000)
    gate.resolve()
    await looked
    expect(agent.reconciler.status(id)).toMatchObject({ containerId, pid: expect.any(Number) })
    await agent.reconciler.looked('nobody', 60_000)
  })

  it('is forgotten with everything of it', async () => {
    const agent = await start()
    await agent.reconciler.assign(first)
    await agent.ready(first)
    await agent.end(first)
    await agent.reconciler.forget(id, first.createdAt)
    expect(agent.reconciler.status(id)).toBeUndefined()
    expect(records()).toEqual([])
    expect(await files.hasSecrets(id)).toBe(false)
  })

  it('loses nothing when it is told again while the one before is cleared away', async () => {
    const agent = await start()
    await agent.reconciler.assign(first)
    await agent.ready(first)
    await agent.end(first)
    const forgetting = agent.reconciler.forget(id, first.createdAt)
    void agent.reconciler.assign(second)
    await forgetting
    await agent.ready(second)
    expect(await files.hasSecrets(id)).toBe(true)
    await waitUntil('its record', () => records().length === 1)
  })
})

describe('an instance that does not get ready in time', () => {
  afterEach(() => void vi.useRealTimers())

  it('is told as late when its worker woke a moment too early', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: 1_000 })
    const agent = await start()
    agent.probe = { type: 'failure', message: 'TCP 9999 refused the connection' }
    const check = { type: 'tcp' as const, port: 9_999 }
    const readiness = { check, delayMs: 0, intervalMs: 60_000, timeoutMs: 1_000, successes: 1, failures: 1 }
    await agent.reconciler.assign({ ...first, readiness, readyTimeoutMs: 100 })
    await agent.until('it to be sick', id, (status) => status.messageCode === 'not-ready')
    agent.onTurn = () => void vi.setSystemTime(5_000)
    const late = await agent.until('it to be late', id, (status) => status.messageCode === 'ready-timeout')
    expect(late.message).toBe(`${id} is not ready 0.1 s after its start: TCP 9999 refused the connection`)
  })
})
