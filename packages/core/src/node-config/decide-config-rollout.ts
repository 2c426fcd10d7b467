import type { ConfigRolloutRule } from './node-config.ts'

export type ConfigRolloutState = 'running' | 'undoing' | 'done' | 'stopped' | 'undone' | 'superseded'
/** Of a node in its last rollout. `failed`: nothing was heard of how it ended, or it could not be begun. */
export type NodeConfigState = 'applying' | 'applied' | 'undone' | 'failed' | 'returning' | 'returned'

/** A node that the version concerns. */
export interface RolloutNode {
  readonly name: string
  readonly online: boolean
  /** Absent: it has not begun in this rollout. */
  readonly state?: NodeConfigState
  /** When it came to its state. */
  readonly since?: number
  /** What it has is not what it was given. */
  readonly drifted: boolean
}

export interface RolloutView {
  readonly state: ConfigRolloutState
  readonly rule: ConfigRolloutRule
  readonly enforce: boolean
  readonly nodes: readonly RolloutNode[]
}

export interface RolloutStep {
  /** Ordered to be at the rollout's version. */
  readonly begin: readonly string[]
  /** Ordered back to the version that they had before. */
  readonly takeBack: readonly string[]
  readonly state?: ConfigRolloutState
  readonly why?: string
  /** When to look again although nothing changes. */
  readonly lookAt?: number
}

const nothing: RolloutStep = { begin: [], takeBack: [] }

/** What a rollout of a node configuration does next. */
export function decideConfigRollout(view: RolloutView, now: number): RolloutStep {
  switch (view.state) {
    case 'running':
      return goOn(view, now)
    case 'undoing':
      return takeBack(view)
    case 'done':
      return lateOnes(view)
    case 'stopped':
    case 'undone':
    case 'superseded':
      return nothing
    default:
      return view.state satisfies never
  }
}

const isBusy = ({ state }: RolloutNode): boolean => state === 'applying' || state === 'returning'
const hasFailed = ({ state }: RolloutNode): boolean => state === 'undone' || state === 'failed'

function goOn(view: RolloutView, now: number): RolloutStep {
  const { nodes, rule } = view
  if (nodes.some(isBusy)) return nothing
  const failed = nodes.filter(hasFailed).map(({ name }) => name)
  if (failed.length > 0)
    return { ...nothing, state: rule.onFailure === 'undo' ? 'undoing' : 'stopped', why: `${failed.join(', ')} failed` }
  const waiting = nodes.filter(({ state, online }) => state === undefined && online)
  if (waiting.length === 0) return { ...nothing, state: 'done' }
  const last = Math.max(0, ...nodes.flatMap(({ since }) => since ?? []))
  if (last > 0 && now < last + rule.pauseMs) return { ...nothing, lookAt: last + rule.pauseMs }
  return { ...nothing, begin: firstOf(waiting, view) }
}

function takeBack(view: RolloutView): RolloutStep {
  const { nodes } = view
  if (nodes.some(isBusy)) return nothing
  const left = nodes.filter(({ state }) => state === 'applied')
  if (left.length === 0) return { ...nothing, state: 'undone' }
  const reached = left.filter(({ online }) => online)
  return { ...nothing, takeBack: firstOf(reached, view) }
}

/** Nodes that have come, or come back, since it was done, and those that drifted where that is corrected. */
function lateOnes(view: RolloutView): RolloutStep {
  const { nodes, enforce } = view
  if (nodes.some(isBusy)) return nothing
  const late = nodes.filter(
    ({ state, online, drifted }) => online && (state === undefined || (enforce && state === 'applied' && drifted)),
  )
  return { ...nothing, begin: firstOf(late, view) }
}

function firstOf(nodes: readonly RolloutNode[], { rule, nodes: all }: RolloutView): string[] {
  const size =
    'count' in rule.batch ? rule.batch.count : Math.max(1, Math.floor((all.length * rule.batch.shareMilli) / 1000))
  return nodes
    .map(({ name }) => name)
    .sort()
    .slice(0, size)
}
