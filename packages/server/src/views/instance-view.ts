import type { InstanceView } from '@berth/api'
import type { Instance, InstanceStatus } from '@berth/core'
import { nodeResources } from './node-view.ts'
import { defined, type ViewContext } from './view-context.ts'

export function instanceView({ state, traffic, isOnline }: ViewContext, instance: Instance): InstanceView {
  const status = state.statuses.get(instance.id)
  const offline = instance.node !== undefined && !isOnline(instance.node)
  return {
    ...wanted(instance),
    ...observed(instance, status),
    // What an unreachable agent said last is no news: nobody knows whether it still holds.
    ready: status?.ready === true && !offline,
    inTraffic: traffic.isInTraffic(instance.id),
    ...defined({ message: messageFor(instance, status, offline) }),
  }
}

function wanted(instance: Instance) {
  const { id, app, pool, entrypoint, ordinal, release, generation, type, desired } = instance
  const { rollout, node, address, cpuMilli, memoryBytes, stopReason, command, createdAt, createdBy } = instance
  const { group, cores, resources, priority, dueAt, sizedAlone } = instance
  return {
    ...{ id, name: `${entrypoint}-${ordinal}`, app, pool, entrypoint, release, generation, type, desired },
    ...{ createdAt, createdBy },
    ...(command === undefined ? {} : { command: [...command] }),
    ...defined({
      rollout,
      node,
      address,
      cpuMilli,
      memoryBytes,
      stopReason,
      group,
      cores,
      priority,
      dueAt,
      sizedAlone,
    }),
    ...(resources === undefined ? {} : { resources: nodeResources(resources) }),
  }
}

function observed(instance: Instance, status: InstanceStatus | undefined) {
  const before = instance.node === undefined ? ('pending' as const) : ('assigned' as const)
  const { readyAt, containerId, lastExit, logTail, startedAt, endedAt } = status ?? {}
  return {
    phase: status?.phase ?? before,
    restarts: status?.restarts ?? 0,
    ...defined({ readyAt, containerId, startedAt, endedAt }),
    ...grantedOtherwise(instance, status),
    ...(lastExit === undefined ? {} : { lastExit: { ...lastExit } }),
    ...(logTail === undefined ? {} : { logTail: [...logTail] }),
  }
}

/** What the container has, where that is not what the instance is to have. */
function grantedOtherwise(instance: Instance, status: InstanceStatus | undefined): Pick<InstanceView, 'granted'> {
  if (status?.granted === undefined) return {}
  const { cpuMilli = instance.cpuMilli, cores = instance.cores, memoryBytes } = status.granted
  const isSame = cpuMilli === instance.cpuMilli && cores === instance.cores && memoryBytes === instance.memoryBytes
  return isSame ? {} : { granted: defined({ cpuMilli, cores, memoryBytes }) }
}

function messageFor(instance: Instance, status: InstanceStatus | undefined, offline: boolean): string | undefined {
  if (instance.node === undefined) return instance.unplaced
  if (instance.waitsFor !== undefined)
    return `its place is kept until ${instance.waitsFor.join(', ')} left ${instance.node}`
  if (offline) return `node ${instance.node} is offline; what it said last may not hold any more`
  return status?.message
}
