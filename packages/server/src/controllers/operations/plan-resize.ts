import {
  askedSizes,
  dueSizes,
  type EntrypointSpec,
  type Instance,
  isSystem,
  limitsFor,
  type PlannedResize,
  type Pool,
  planResize,
  type RolloutSpec,
  rolloutLimits,
  sizeChange,
} from '@berth/core'
import { requestOf } from '../../schedule/request-of.ts'
import { hasEnded } from '../has-ended.ts'
import type { OperationsContext } from './operations-context.ts'
import { grantOf, type ResizedInstance } from './resize-checks.ts'

/** What becomes of each instance of the entrypoint when its pool is `next`. */
export function planInstances(
  { state, books }: OperationsContext,
  next: Pool,
  entrypoint: string,
  spec: EntrypointSpec,
  rollout: RolloutSpec,
): ResizedInstance[] {
  const up = state.instances
    .byPool(next.app, next.name)
    .filter((each) => each.entrypoint === entrypoint && each.desired === 'run' && !hasEnded(state, each))
    .sort((a, b) => a.ordinal - b.ordinal)
  const isDue = (each: Instance): boolean => each.type === 'service' && dueSizes(each, spec, next) !== undefined
  const due = up.filter((each) => each.node !== undefined && isDue(each))
  const subject = { app: next.app, pool: next.name, entrypoint, type: 'service' } as const
  const planned =
    due.length === 0
      ? []
      : planResize(books.books.clone(), {
          request: requestOf(subject, spec, next),
          due: due.map((each) => ({
            id: each.id,
            sizes: sizeChange(askedSizes(each, spec), dueSizes(each, spec, next) ?? {}),
          })),
          kept: up.filter((each) => each.node !== undefined && !due.includes(each)).map((each) => each.id),
          ...rolloutLimits(limitsFor(rollout, spec), up.length),
          isPinned: isSystem(spec),
        })
  const byId = new Map(planned.map((each) => [each.id, each]))
  return up.map((each) => resizedInstance(each, byId.get(each.id), each.node === undefined && isDue(each)))
}

function resizedInstance(instance: Instance, planned: PlannedResize | undefined, isWaiting: boolean): ResizedInstance {
  const { id, entrypoint, ordinal, node, type, sizedAlone } = instance
  const base = {
    ...{ instance: id, name: `${entrypoint}-${ordinal}`, before: grantOf(instance) },
    ...(node === undefined ? {} : { node }),
  }
  if (planned !== undefined) return { ...base, how: planned.how, ...consequences(planned) }
  if (type === 'job')
    return { ...base, how: 'stays', reason: 'a run under way keeps what it has, unless it is resized by its own name' }
  if (sizedAlone === true)
    return { ...base, how: 'stays', reason: `it was resized alone; undo that with: berth resize ${id} --as-written` }
  return isWaiting ? { ...base, how: 'stays', reason: 'it has no node yet' } : { ...base, how: 'unchanged' }
}

function consequences({ after, node, reason, refusal }: PlannedResize) {
  const why = refusal === undefined ? reason : `${reason}; its successor finds no place: ${refusal}`
  return {
    ...(after === undefined ? {} : { after: grantOf(after) }),
    ...(node === undefined ? {} : { to: node }),
    ...(why === undefined ? {} : { reason: why }),
  }
}
