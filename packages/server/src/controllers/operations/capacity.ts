import type { CapacityView } from '@berth/api'
import { BerthError, type Books, type InstanceRequest, resolveSpec, serviceNames } from '@berth/core'
import { type Hypothesis, imagine } from '../../schedule/hypothesis.ts'
import { requestOf } from '../../schedule/request-of.ts'
import type { PoolArguments } from '../operations.ts'
import { requireLivePool, requireRelease } from './lookup.ts'
import type { OperationsContext } from './operations-context.ts'

/** How many more of each service fit beside what runs, each taken by itself. */
export function capacityOf(context: OperationsContext, args: PoolArguments & Hypothesis): CapacityView[] {
  const { state } = context
  const pool = requireLivePool(state, args.app, args.pool)
  if (pool.release === undefined)
    throw new BerthError(
      'pool.empty',
      `capacity of ${args.app}/${args.pool}: no release runs there yet; deploy one first`,
    )
  const spec = resolveSpec(requireRelease(state, args.app, pool.release).spec, pool.environment)
  const books = imagine(context.books.books, state, args)
  const services = state.instances.byPool(args.app, args.pool).filter((each) => each.desired === 'run')
  return serviceNames(spec).flatMap((entrypoint) => {
    const own = spec.entrypoints[entrypoint]
    if (own === undefined) return []
    const request = requestOf({ app: args.app, pool: args.pool, entrypoint, type: 'service' }, own, pool)
    const running = services.filter((each) => each.entrypoint === entrypoint && each.node !== undefined).length
    return [{ entrypoint, running, ...roomFor(books, request) }]
  })
}

function roomFor(books: Books, request: InstanceRequest): Omit<CapacityView, 'entrypoint' | 'running'> {
  const { count, nodes, missing } = books.capacity(request)
  const { message, reasons } = books.explain(request)
  return {
    ...(Number.isFinite(count) ? { more: count } : {}),
    nodes,
    missing: missing.map(({ what, nodes: on }) => ({ what, nodes: on })),
    ...(reasons.length === 0 ? {} : { refused: message }),
  }
}
