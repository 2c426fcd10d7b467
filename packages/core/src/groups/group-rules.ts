import type { Approval, NodeGroup } from '../model/node-group.ts'
import { formatBytes, formatCpu } from '../spec/quantities.ts'

/** Who asks: the owner of a token; an admin may use every group. */
export interface GroupCaller {
  readonly owner?: string
  readonly isAdmin: boolean
}

export const mayUseGroup = ({ allowedOwners }: NodeGroup, { owner, isAdmin }: GroupCaller): boolean =>
  isAdmin || allowedOwners === undefined || (owner !== undefined && allowedOwners.includes(owner))

export const mayApprove = ({ memoryApproval }: NodeGroup, { owner, isAdmin }: GroupCaller): boolean =>
  isAdmin || (owner !== undefined && memoryApproval?.approvers.includes(owner) === true)

/** More memory for one instance than the group gives without asking, and nobody has said yes to as much. */
export function needsApproval(
  { name, memoryApproval }: NodeGroup,
  memoryBytes: number | undefined,
  approval: Approval | undefined,
): boolean {
  if (memoryApproval === undefined || memoryBytes === undefined) return false
  if (memoryBytes <= memoryApproval.aboveBytes) return false
  return approval?.state !== 'approved' || approval.group !== name || approval.memoryBytes < memoryBytes
}

export interface ResourceSum {
  readonly cpuMilli: number
  readonly memoryBytes: number
}

/** Why so much more does not fit into the group's quota: `group fast: 15.5 of 16 cores of its quota are given out, 1 more was asked for`. */
export function quotaRefusal({ name, quota }: NodeGroup, given: ResourceSum, asked: ResourceSum): string | undefined {
  if (quota?.cpuMilli !== undefined && asked.cpuMilli > 0 && given.cpuMilli + asked.cpuMilli > quota.cpuMilli) {
    const amounts = `${cores(given.cpuMilli)} of ${cores(quota.cpuMilli)} cores of its quota are given out`
    return `group ${name}: ${amounts}, ${cores(asked.cpuMilli)} more asked for`
  }
  const { memoryBytes } = asked
  if (quota?.memoryBytes !== undefined && memoryBytes > 0 && given.memoryBytes + memoryBytes > quota.memoryBytes) {
    const amounts = `${formatBytes(given.memoryBytes)} of ${formatBytes(quota.memoryBytes)} memory of its quota are given out`
    return `group ${name}: ${amounts}, ${formatBytes(memoryBytes)} more asked for`
  }
  return undefined
}

const cores = (milli: number): string => (milli === 0 ? '0' : formatCpu(milli))
