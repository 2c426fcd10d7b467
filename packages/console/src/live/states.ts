import type { PoolView } from '@berth/api/app-resources'
import type { BuildView, RolloutView } from '@berth/api/deploy-resources'
import type { InstanceView } from '@berth/api/instance-resources'
import type { NodeView } from '@berth/api/node-resources'
import type { Dictionary } from '../i18n/dictionary.ts'

/** Shown by shape and colour: filled circle, turning ring, triangle, square, hollow circle. */
export type Tone = 'ok' | 'busy' | 'warn' | 'bad' | 'off'

export interface Shown {
  readonly tone: Tone
  readonly label: keyof Dictionary['state']
}

const shown = (tone: Tone, label: Shown['label']): Shown => ({ tone, label })

export function instanceState(instance: InstanceView): Shown {
  if (instance.phase === 'ended') return endedState(instance)
  if (instance.phase === 'stopping') return shown('busy', 'stopping')
  if (instance.desired === 'drain') return shown('busy', 'draining')
  if (instance.desired === 'stop') return shown('busy', 'stopping')
  if (instance.phase === 'pending') return shown('warn', 'pending')
  if (instance.phase === 'assigned') return shown('busy', 'assigned')
  if (instance.type === 'job') return shown('busy', 'running')
  if (instance.ready) return shown('ok', 'ready')
  if (instance.lastExit !== undefined && instance.restarts > 1) return shown('bad', 'crashing')
  return instance.readyAt === undefined && instance.restarts === 0
    ? shown('busy', 'starting')
    : shown('warn', 'notReady')
}

function endedState({ lastExit, desired, type }: InstanceView): Shown {
  if (desired !== 'run') return shown('off', type === 'job' ? 'cancelled' : 'ended')
  if (type === 'job' && lastExit?.code === 0) return shown('ok', 'succeeded')
  const badly = lastExit === undefined ? type === 'job' : lastExit.code !== 0 || lastExit.outOfMemory
  return badly ? shown('bad', 'failed') : shown('off', 'ended')
}

const rolloutStates: Readonly<Record<RolloutView['state'], Tone>> = {
  running: 'busy',
  paused: 'warn',
  'rolling-back': 'warn',
  succeeded: 'ok',
  'rolled-back': 'bad',
  failed: 'bad',
  aborted: 'off',
}
export const rolloutState = ({ state }: RolloutView): Shown => shown(rolloutStates[state], state)

const buildStates: Readonly<Record<BuildView['state'], Tone>> = {
  queued: 'off',
  running: 'busy',
  succeeded: 'ok',
  failed: 'bad',
  cancelled: 'off',
}
export function buildState({ state, testsSince, error }: BuildView): Shown {
  if (state === 'running' && testsSince !== undefined) return shown('busy', 'testing')
  return error?.code === 'build.superseded' ? shown('off', 'superseded') : shown(buildStates[state], state)
}

const testStates = { running: 'busy', passed: 'ok', failed: 'bad' } as const
export const testState = (state: keyof typeof testStates): Shown =>
  shown(testStates[state], state === 'passed' ? 'succeeded' : state)

export function nodeState({ online, schedulable, problems, drain, instances }: NodeView): Shown {
  if (!online) return shown('bad', 'offline')
  if (drain !== undefined) return instances === 0 ? shown('warn', 'drained') : shown('busy', 'beingDrained')
  if (!schedulable) return shown('warn', 'cordoned')
  return shown(problems.length > 0 ? 'warn' : 'ok', 'online')
}

export function poolState(pool: PoolView): Shown {
  const services = pool.entrypoints.filter((each) => each.type === 'service')
  const wanted = sum(services.map((each) => each.wanted))
  const ready = sum(services.map((each) => each.ready))
  if (pool.removing === true) return shown('busy', 'removing')
  if (pool.rollout !== undefined) return shown('busy', 'rollout')
  if (pool.release === undefined) return shown('off', 'notDeployed')
  if (wanted === 0) return shown('off', 'idle')
  if (ready === 0) return shown('bad', 'down')
  return services.some((each) => each.ready < each.wanted) ? shown('warn', 'degraded') : shown('ok', 'healthy')
}

export const isOver = (rollout: RolloutView): boolean => rollout.endedAt !== undefined

/** Instances of the new generation that are ready, of those wanted. */
export function rolloutProgress({ progress }: RolloutView): { readonly ready: number; readonly wanted: number } {
  const parts = Object.values(progress)
  return {
    ready: sum(parts.map((part) => Math.min(part.newReady, part.wanted))),
    wanted: sum(parts.map((part) => part.wanted)),
  }
}

export const poolName = ({ app, pool }: { readonly app: string; readonly pool: string }): string => `${app}/${pool}`

/** Pools of which another release is the latest one. */
export const isBehind = (app: { readonly latestRelease?: string | undefined }, pool: PoolView): boolean =>
  pool.release !== undefined && app.latestRelease !== undefined && pool.release !== app.latestRelease

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0)
