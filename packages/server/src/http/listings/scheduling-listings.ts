import type { ApprovalView, CronView, GroupView } from '@berth/api'
import { groupUses, unused } from '../../groups/group-use.ts'
import { entrypointId } from '../../records/index.ts'
import { approvalView, cronView, groupView, groupViewOf } from '../../views/scheduling-views.ts'
import type { ViewContext } from '../../views/view-context.ts'
import type { Listing, SeenChange } from './listing.ts'

const none: readonly string[] = []

/** Ids: the group's name. */
export const groupListing = (context: ViewContext): Listing<GroupView> => {
  const { state } = context
  return {
    all: () => {
      const uses = groupUses(state)
      return state.groups.each().map((group) => groupViewOf(state, group, uses.get(group.name) ?? unused))
    },
    get: (id) => {
      const group = state.groups.find(id)
      return group === undefined ? undefined : groupView(context, group)
    },
    // What is given out is as of the list, or of the group's or a node's next change: counting it with every instance that comes or
    // goes would go through all of them.
    touched: (change) => {
      if (change.kind === 'groups' || change.kind === 'rebalances') return [change.id]
      const isNode = change.kind === 'nodes' || change.kind === 'nodeStatuses'
      return isNode ? state.groups.each().map((group) => group.name) : none
    },
  }
}

/** Ids: `<app>/<pool>/<entrypoint>`; those that wait come first. */
export const approvalListing = ({ state }: ViewContext): Listing<ApprovalView> => ({
  all: () =>
    state.approvals
      .all()
      .sort((a, b) => Number(b.state === 'waiting') - Number(a.state === 'waiting') || b.requestedAt - a.requestedAt)
      .map(approvalView),
  get: (id) => {
    const approval = state.approvals.get(id)
    return approval === undefined ? undefined : approvalView(approval)
  },
  touched: (change) => (change.kind === 'approvals' ? [change.id] : none),
})

export interface CronFilter {
  readonly app?: string | undefined
  readonly pool?: string | undefined
}

/** Ids: `<app>/<pool>/<entrypoint>`. */
export const cronListing = ({ state }: ViewContext, filter: CronFilter): Listing<CronView> => {
  const view = ({
    app,
    pool,
    entrypoint,
  }: {
    readonly app: string
    readonly pool: string
    readonly entrypoint: string
  }) =>
    (filter.app ?? app) === app && (filter.pool ?? pool) === pool ? cronView(state, app, pool, entrypoint) : undefined
  return {
    all: () =>
      state.crons
        .all()
        .sort((a, b) => (idOf(a) < idOf(b) ? -1 : 1))
        .flatMap((record) => view(record) ?? []),
    get: (id) => {
      const record = state.crons.get(id)
      return record === undefined ? undefined : view(record)
    },
    touched: (change: SeenChange) => (change.kind === 'crons' ? [change.id] : none),
  }
}

const idOf = (record: { readonly app: string; readonly pool: string; readonly entrypoint: string }): string =>
  entrypointId(record.app, record.pool, record.entrypoint)
