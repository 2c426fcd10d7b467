import type { RebalanceView } from '@berth/api'
import { BerthError, type Rebalance } from '@berth/core'
import { requireGroup } from '../../groups/groups.ts'
import { defined } from '../../views/view-context.ts'
import type { Handlers } from '../handler.ts'
import type { Services } from '../services.ts'

type RebalanceHandlers = Pick<Handlers, 'planRebalance' | 'startRebalance' | 'stopRebalance' | 'getRebalance'>

export const rebalanceHandlers = ({ views, operations }: Services): RebalanceHandlers => ({
  planRebalance: ({ params, body }) => {
    const moves = operations.planRebalance({ group: params.name, moves: body.moves })
    return {
      group: params.name,
      moves: moves.map(({ instance, from, to, before, after }) => ({
        ...{ instance, from, to },
        beforeMilli: Math.round(before * 1000),
        afterMilli: Math.round(after * 1000),
      })),
    }
  },
  startRebalance: async ({ params, body, context }) =>
    rebalanceView(await operations.startRebalance({ group: params.name, ...body }, context)),
  stopRebalance: async ({ params, context }) => rebalanceView(await operations.stopRebalance(params.name, context)),
  getRebalance: ({ params }) => {
    requireGroup(views.state, params.name)
    const found = views.state.rebalances.get(params.name)
    if (found !== undefined) return rebalanceView(found)
    throw new BerthError('rebalance.none', `node group ${params.name} was never rebalanced`, {
      details: { group: params.name },
    })
  },
})

function rebalanceView(rebalance: Rebalance): RebalanceView {
  const { group, state, message, done, movesLeft, disruption, moves, startedAt, endedAt, createdBy } = rebalance
  return {
    ...{ group, state, message, done, movesLeft, disruption, startedAt, createdBy },
    moves: moves.map((each) => ({ ...each })),
    ...defined({ endedAt }),
  }
}
