import { type Grant, type KernelGrant, kernelGrant } from '../cores/kernel-grant.ts'
import { type DecidedAssignment, decideInstance } from './decide-instance.ts'
import {
  afterStartDone,
  attachDone,
  exitRecorded,
  instanceEnded,
  runAdopted,
  stepFailed,
  stepSucceeded,
  stopIntended,
} from './instance-memory.ts'
import {
  type InstanceContext,
  type InstanceMemory,
  type InstanceStep,
  newInstanceMemory,
  type ObservedContainer,
} from './instance-state.ts'

export type SimulatedAssignment = DecidedAssignment & Grant

/** On a node where nobody owns cores. */
export const grantOf = (assignment: Grant): KernelGrant => kernelGrant(assignment, { isBound: false, cpuset: '' })

export const decidedAssignment = (over: Partial<SimulatedAssignment> = {}): SimulatedAssignment => ({
  type: 'service',
  desired: 'run',
  restartNonce: 0,
  restart: 'always',
  cpuMilli: 1000,
  memoryBytes: 2 ** 29,
  jobTimeoutMs: 0,
  ...over,
})

export const runningContainer = (over: Partial<ObservedContainer> = {}): ObservedContainer => ({
  id: 'c1',
  state: 'running',
  pid: 42,
  startedAt: 1000,
  ...grantOf(decidedAssignment()),
  ...over,
})

export const exitedContainer = (over: Partial<ObservedContainer> = {}): ObservedContainer => ({
  id: 'c1',
  state: 'exited',
  startedAt: 1000,
  finishedAt: 2000,
  exitCode: 1,
  ...grantOf(decidedAssignment()),
  ...over,
})

const incarnationOf = ({ createdAt }: DecidedAssignment): { createdAt?: number } =>
  createdAt === undefined ? {} : { createdAt }

/** One instance on a pretended engine: carries out steps as the agent does, and may be disturbed in between. */
export class InstanceWorld {
  assignment: SimulatedAssignment
  container: ObservedContainer | undefined
  memory: InstanceMemory
  context: Omit<InstanceContext, 'grant'> = { now: 1_000_000, boot: 'boot-1', frozen: false, unhealthy: false }
  imagePresent = true
  /** Steps of these types fail. */
  failing = new Set<InstanceStep['type']>()
  steps: InstanceStep[] = []
  #ids = 0

  constructor(assignment: SimulatedAssignment = decidedAssignment()) {
    this.assignment = assignment
    this.memory = newInstanceMemory(assignment.restartNonce)
  }

  advance(ms: number): void {
    this.context = { ...this.context, now: this.context.now + ms }
  }

  decide(): InstanceStep {
    const context = { ...this.context, grant: grantOf(this.assignment) }
    return decideInstance(this.assignment, this.container, this.memory, context)
  }

  /** Decides and acts until there is nothing left to do now. Throws when it does not come to rest. */
  settle(limit = 30): InstanceStep {
    for (let count = 0; count < limit; count += 1) {
      const step = this.decide()
      if (step.type === 'wait') return step
      this.steps.push(step)
      this.apply(step)
    }
    throw new Error(`no rest after ${limit} steps: ${this.steps.map((step) => step.type).join(' ')}`)
  }

  apply(step: InstanceStep): void {
    const missing = step.type === 'create' && !this.imagePresent
    if (this.failing.has(step.type) || missing) {
      const failure = { code: missing ? 'image-missing' : 'failed', message: `${step.type} failed` }
      this.memory = stepFailed(this.memory, step.type, failure, this.context.now)
      return
    }
    this.#carryOut(step)
    this.memory = stepSucceeded(this.memory, step.type, this.assignment)
  }

  exit(exitCode: number, outOfMemory = false): void {
    if (this.container?.state !== 'running') return
    this.container = { ...this.container, state: 'exited', exitCode, outOfMemory, finishedAt: this.context.now }
    this.context = { ...this.context, unhealthy: false, overDisk: false }
  }

  #carryOut(step: InstanceStep): void {
    const { now } = this.context
    switch (step.type) {
      case 'wait':
        return
      case 'fetch-image':
        this.imagePresent = true
        return
      case 'create':
        this.#ids += 1
        this.container = {
          id: `c${this.#ids}`,
          ...incarnationOf(this.assignment),
          state: 'created',
          ...grantOf(this.assignment),
        }
        return
      case 'start':
        if (this.container === undefined) throw new Error('nothing to start')
        this.advance(1)
        this.container = { ...this.container, state: 'running', startedAt: now + 1 }
        return
      case 'adopt-run':
        if (this.container === undefined) throw new Error('nothing to adopt')
        this.memory = runAdopted(this.memory, this.container, this.context)
        return
      case 'record-exit':
        this.memory = exitRecorded(
          this.memory,
          { ...this.assignment, instance: 'web-1' },
          this.container,
          step.cause,
          now,
          [],
        )
        return
      case 'update-grant':
        if (this.container !== undefined) this.container = { ...this.container, ...grantOf(this.assignment) }
        return
      case 'attach': {
        const { networks = [] } = this.assignment
        const names = networks.map(({ name }) => name)
        const others = (this.container?.networks ?? []).filter(
          ({ name }) => !names.includes(name) && this.memory.attached?.includes(name) !== true,
        )
        const own = networks.map(({ name, address }) => ({
          name,
          ...(address === undefined ? {} : { asked: address }),
        }))
        if (this.container !== undefined) this.container = { ...this.container, networks: [...others, ...own] }
        this.memory = attachDone(this.memory, names, this.memory.attached ?? [])
        return
      }
      case 'run-after-start':
        this.memory = afterStartDone(this.memory)
        return
      case 'stop':
        this.memory = stopIntended(this.memory, step.reason, this.assignment)
        this.exit(143)
        return
      case 'remove':
        this.container = undefined
        return
      case 'discard':
        this.container = undefined
        return
      case 'finish':
        this.memory = instanceEnded(this.memory, now)
        return
    }
  }
}
