import type { AppSpec, Instance, InstanceStatus, Pool, Rollout } from '../model/index.ts'
import { continueStage, skipStage } from '../rollout/stage-moves.ts'
import { cutStage, newStages } from '../rollout/stages.ts'
import { poolRecord, rolloutRecord } from './pool-fixtures.testing.ts'

export interface SimulatedInstance {
  instance: Instance
  /** What its agent has reported. */
  status?: InstanceStatus
  /** Gateways send requests to it. */
  inTraffic: boolean
  inflight: number
}

/** The records of one pool and what people do to them, as the server's operations write it. */
export class PoolRecords {
  now = 0
  pool: Pool
  rollouts = new Map<string, Rollout>()
  specs = new Map<string, AppSpec>()
  instances = new Map<string, SimulatedInstance>()

  constructor(pool: Pool = poolRecord()) {
    this.pool = pool
  }

  startRollout(to: string, reason: Rollout['reason'] = 'deploy'): Rollout {
    const stages =
      reason === 'deploy' && this.pool.release !== undefined ? this.specs.get(to)?.rollout.stages : undefined
    const record = rolloutRecord(this.pool, to, reason, this.now)
    const rollout = stages === undefined ? record : { ...record, stages: newStages(stages) }
    this.rollouts.set(rollout.id, rollout)
    this.pool = { ...this.pool, rollout: rollout.id, nextGeneration: rollout.toGeneration + 1 }
    return rollout
  }

  /** As a person does it; what does not fit the rollout's state does nothing. */
  move(move: 'pause' | 'resume' | 'abort'): void {
    const { rollout } = this
    const next = { pause: 'paused', resume: 'running', abort: 'rolling-back' } as const
    const from = { pause: ['running'], resume: ['paused'], abort: ['running', 'paused'] }[move]
    if (rollout === undefined || !from.includes(rollout.state)) return
    const base = move === 'abort' ? cutStage(rollout, this.now) : rollout
    this.rollouts.set(rollout.id, { ...base, state: next[move], updatedAt: this.now })
  }

  /** As a person does it; where there is no such stage, nothing happens. */
  moveStage(move: 'skip' | 'continue'): void {
    const { rollout } = this
    if (rollout === undefined || !['running', 'paused'].includes(rollout.state)) return
    const next = move === 'skip' ? skipStage(rollout, 'ann') : continueStage(rollout, 'ann', this.now)
    if (next !== undefined) this.rollouts.set(rollout.id, { ...next, updatedAt: this.now })
  }

  /** Takes over from the rollout under way. */
  force(to: string): void {
    const { rollout, now } = this
    if (rollout !== undefined)
      this.rollouts.set(rollout.id, { ...rollout, state: 'aborted', updatedAt: now, endedAt: now })
    this.startRollout(to)
  }

  scale(name: string, count: number): void {
    const specCount = this.pool.replicas[name]?.specCount ?? 1
    this.pool = { ...this.pool, replicas: { ...this.pool.replicas, [name]: { count, setBy: 'scale', specCount } } }
  }

  get rollout(): Rollout | undefined {
    return this.pool.rollout === undefined ? undefined : this.rollouts.get(this.pool.rollout)
  }

  /** As a person does it. */
  stop(id: string): void {
    const each = this.instances.get(id)
    if (each?.instance.desired !== 'run') return
    const desired = each.instance.node === undefined ? 'stop' : 'drain'
    each.instance = { ...each.instance, desired, drainSince: this.now }
  }
}
