import {
  type AppSpec,
  type EntrypointSpec,
  formatBytes,
  mayUseGroup,
  needsApproval,
  nodeGroupOf,
  type Pool,
  quotaRefusal,
  type ReplicaCount,
  type ResourceSum,
} from '@berth/core'
import type { RecordTransaction, State } from '../records/index.ts'
import { callerOf } from './caller-of.ts'
import { groupOfInstance, isHeld, reservedBy, sum } from './group-use.ts'

type PoolGroup = Pick<Pool, 'app' | 'name' | 'group'>

/** What would keep `actor` from running this spec (as the pool's environment has it) where it is to be placed. */
export function groupProblems(state: State, pool: PoolGroup, spec: AppSpec, actor: string): string[] {
  const caller = callerOf(state, actor)
  const problems = new Set<string>()
  for (const [name, entrypoint] of Object.entries(spec.entrypoints)) {
    const groupName = nodeGroupOf(entrypoint, pool)
    const group = state.groups.find(groupName)
    if (group === undefined)
      problems.add(
        `${name} is to run in node group ${groupName}, which does not exist: berth group create ${groupName}`,
      )
    else if (!mayUseGroup(group, caller))
      problems.add(
        `node group ${groupName} is not for ${caller.owner ?? actor}: ask an admin to allow it, or choose another`,
      )
  }
  return [...problems]
}

/** Sentences for every group whose quota would be exceeded by this pool as it is to be, beside all others. */
export function quotaProblems(
  state: State,
  pool: PoolGroup,
  spec: AppSpec,
  replicas: Readonly<Record<string, Pick<ReplicaCount, 'count'>>>,
): string[] {
  const asked = new Map<string, ResourceSum>()
  for (const [name, entrypoint] of Object.entries(spec.entrypoints)) {
    const groupName = nodeGroupOf(entrypoint, pool)
    if (state.groups.find(groupName)?.quota === undefined || entrypoint.type === 'job') continue
    const before = asked.get(groupName) ?? nothing
    asked.set(groupName, sum(before, times(entrypoint, replicas[name]?.count ?? 0)))
  }
  return [...asked].flatMap(([groupName, amount]) => {
    const group = state.groups.find(groupName)
    return group === undefined ? [] : (quotaRefusal(group, givenToOthers(state, groupName, pool), amount) ?? [])
  })
}

const nothing: ResourceSum = { cpuMilli: 0, memoryBytes: 0 }

const times = ({ resources }: EntrypointSpec, count: number): ResourceSum => ({
  cpuMilli: (resources.cpuMilli ?? 0) * count,
  memoryBytes: (resources.memoryBytes ?? 0) * count,
})

function givenToOthers(state: State, group: string, { app, name }: PoolGroup): ResourceSum {
  let given = nothing
  for (const instance of state.instances.values()) {
    if (!isHeld(state, instance) || groupOfInstance(state, instance) !== group) continue
    if (instance.app === app && instance.pool === name && instance.type === 'service') continue
    given = sum(given, reservedBy(instance))
  }
  return given
}

/** Memory that a person has to say yes to first. */
export interface AwaitedApproval {
  readonly entrypoint: string
  readonly group: string
  readonly memoryBytes: number
}

export function awaitedApprovals(state: State, pool: PoolGroup, spec: AppSpec): AwaitedApproval[] {
  return Object.entries(spec.entrypoints).flatMap(([entrypoint, each]) => {
    const { memoryBytes } = each.resources
    const group = state.groups.find(nodeGroupOf(each, pool))
    const approval = state.approvals.find(pool.app, pool.name, entrypoint)
    if (group === undefined || memoryBytes === undefined || !needsApproval(group, memoryBytes, approval)) return []
    return [{ entrypoint, group: group.name, memoryBytes }]
  })
}

/** Writes the wishes down, so that there is something to decide about. */
export function askForApprovals(
  tx: RecordTransaction,
  pool: PoolGroup,
  awaited: readonly AwaitedApproval[],
  requested: { readonly by: string; readonly at: number },
): void {
  for (const wish of awaited) {
    const { app, name } = pool
    const at = { requestedAt: requested.at, requestedBy: requested.by }
    tx.put('approvals', { app, pool: name, ...wish, state: 'waiting', ...at }, { ifUnchanged: true })
    tx.event({ type: 'approval.requested', subject: { app, pool: name }, message: wishText(pool, wish) })
  }
}

export const wishText = ({ app, name }: PoolGroup, { entrypoint, group, memoryBytes }: AwaitedApproval): string =>
  `${app}/${name}: ${entrypoint} asks for ${formatBytes(memoryBytes)} of memory in group ${group}; say yes with: berth approve ${app}/${entrypoint}@${name}`
