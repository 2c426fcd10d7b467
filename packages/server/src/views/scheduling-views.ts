import type { ApprovalView, CronView, GroupView } from '@berth/api'
import type { Approval, NodeGroup } from '@berth/core'
import { schedulesOf } from '../cron/schedules-of.ts'
import { type GroupUse, groupUses, unused } from '../groups/group-use.ts'
import { poolId, type State } from '../records/index.ts'
import { defined, type ViewContext } from './view-context.ts'

export const groupView = ({ state }: ViewContext, group: NodeGroup): GroupView =>
  groupViewOf(state, group, groupUses(state).get(group.name) ?? unused)

export function groupViewOf(state: State, group: NodeGroup, { nodes, instances, has, given }: GroupUse): GroupView {
  const { name, cpu, shareBase, maxSharedCores, oversellMilli, quota, allowedOwners, memoryApproval } = group
  const { createdAt, createdBy, rebalanceOnJoin, images } = group
  return {
    ...{ name, cpu, shareBase, oversellMilli, nodes, instances, createdAt, createdBy },
    ...{ cpuMilli: has.cpuMilli, memoryBytes: has.memoryBytes },
    ...{ cpuGivenMilli: given.cpuMilli, memoryGivenBytes: given.memoryBytes },
    ...defined({ maxSharedCores, rebalance: state.rebalances.get(name)?.state }),
    ...(quota === undefined ? {} : { quota: defined({ ...quota }) }),
    ...(allowedOwners === undefined ? {} : { allowedOwners: [...allowedOwners] }),
    ...(rebalanceOnJoin === undefined ? {} : { rebalanceOnJoin: { ...rebalanceOnJoin } }),
    ...(images === undefined ? {} : { images: { ...images } }),
    ...(memoryApproval === undefined
      ? {}
      : { memoryApproval: { ...memoryApproval, approvers: [...memoryApproval.approvers] } }),
  }
}

export function approvalView(approval: Approval): ApprovalView {
  const { app, pool, entrypoint, group, memoryBytes, state, requestedAt, requestedBy, decidedAt, decidedBy } = approval
  return {
    ...{ app, pool, entrypoint, group, memoryBytes, state, requestedAt, requestedBy },
    ...defined({ decidedAt, decidedBy }),
  }
}

/** Undefined where there is no schedule (any more). */
export function cronView(state: State, app: string, pool: string, entrypoint: string): CronView | undefined {
  const schedule = schedulesOf(state, poolId(app, pool)).get(entrypoint)
  const record = state.crons.find(app, pool, entrypoint)
  if (schedule === undefined || record === undefined) return undefined
  const runs = record.runs.map((run) => defined({ ...run }))
  return { app, pool, entrypoint, ...schedule, runs, ...defined({ nextAt: record.nextAt }) }
}
