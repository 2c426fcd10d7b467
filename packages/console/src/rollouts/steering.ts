import type { RolloutView } from '@berth/api/deploy-resources'
import { isOver } from '../live/states.ts'

/** What can be done to a rollout; each has a key of its own on the keyboard. */
export type Move = 'approve' | 'continue' | 'pause' | 'resume' | 'skip' | 'abort' | 'rollback' | 'again'

/** Why a move that is shown cannot be made now. */
export type Hindrance = 'role' | 'goingBack' | 'noStages' | 'later' | 'given'

export interface Steer {
  readonly move: Move
  /** Any of them presses it. */
  readonly keys: readonly string[]
  readonly hindrance?: Hindrance
}

const keysOf: Readonly<Record<Move, readonly string[]>> = {
  approve: ['y'],
  continue: ['c'],
  pause: ['p'],
  resume: ['p'],
  skip: ['s'],
  // Who is in a hurry need not know which of the two words the console uses for it while a rollout is under way.
  abort: ['a', 'r'],
  rollback: ['r'],
  again: ['d'],
}

interface Reader {
  readonly may: boolean
  readonly actor: string
  /** No other rollout of the pool has begun since. */
  readonly latest: boolean
}

/** The moves that make sense now, in the order in which they are shown. */
export function steersOf(rollout: RolloutView, reader: Reader): readonly Steer[] {
  return movesOf(rollout).map((move) => {
    const hindrance = reader.may ? hindranceOf(move, rollout, reader) : 'role'
    return { move, keys: keysOf[move], ...(hindrance === undefined ? {} : { hindrance }) }
  })
}

function movesOf(rollout: RolloutView): readonly Move[] {
  const { from, to, state } = rollout
  if (isOver(rollout)) return from === undefined || from === to ? [] : [state === 'succeeded' ? 'rollback' : 'again']
  return [
    ...(awaitsApproval(rollout) ? (['approve'] as const) : []),
    ...(awaitsPerson(rollout) ? (['continue'] as const) : []),
    state === 'paused' ? 'resume' : 'pause',
    'skip',
    'abort',
  ]
}

function hindranceOf(move: Move, rollout: RolloutView, { actor, latest }: Reader): Hindrance | undefined {
  if (isOver(rollout)) return latest ? undefined : 'later'
  if (rollout.state === 'rolling-back') return 'goingBack'
  if (move === 'skip' && stageUnderWay(rollout) === undefined) return 'noStages'
  if (move === 'approve' && hasSaidYes(rollout, actor)) return 'given'
  return undefined
}

/** Whoever asked for it does not count. */
const hasSaidYes = ({ approvals, createdBy }: RolloutView, actor: string): boolean =>
  createdBy === actor || approvals?.given.some(({ by }) => by === actor) === true

export const stageUnderWay = ({ stages }: RolloutView) => stages?.find(({ endedAt }) => endedAt === undefined)

/** Before it begins. */
export const awaitsApproval = ({ approvals, state }: RolloutView): boolean =>
  state === 'paused' && approvals !== undefined && approvals.given.length < approvals.needed

/** For a yes, or because a hook before or after the stage has failed. */
const awaitsPerson = (rollout: RolloutView): boolean => {
  const stage = stageUnderWay(rollout)
  if (stage === undefined) return false
  const hooks = [...(stage.before ?? []), ...(stage.after ?? [])]
  return (
    hooks.some(({ state, by }) => state === 'failed' && by === undefined) ||
    (stage.readyAt !== undefined && stage.gates.some(({ type, verdict }) => type === 'person' && verdict === 'waiting'))
  )
}
