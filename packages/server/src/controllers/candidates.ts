import {
  type Candidate,
  type EntrypointSpec,
  firstFreeAddress,
  type Instance,
  type PlacementRequest,
  parseBlock,
} from '@berth/core'
import type { State } from '../records/index.ts'

/** The nodes with their books, as of the state's revision. */
export function candidatesOf(state: State, isOnline: (node: string) => boolean): Candidate[] {
  return [...state.nodes.values()].map((node) => {
    const status = state.nodeStatuses.get(node.name)
    const block = parseBlock(node.block)
    const candidate: Candidate = {
      name: node.name,
      online: isOnline(node.name),
      schedulable: node.schedulable,
      cpuMilli: status?.cpuMilli ?? 0,
      memoryBytes: status?.memoryBytes ?? 0,
      diskFreeBytes: status?.diskFreeBytes ?? 0,
      cpuReservedMilli: 0,
      memoryReservedBytes: 0,
      instances: 0,
      peers: new Map(),
      usedAddresses: new Set(),
      usedHostPorts: new Set(),
      lastAddress: state.fences.get(node.name)?.lastAddress,
      nextAddress: () => firstFreeAddress(block, candidate.usedAddresses, candidate.lastAddress),
    }
    for (const instance of state.instances.byNode(node.name)) enter(candidate, instance, hasEnded(state, instance))
    return candidate
  })
}

export const hasEnded = (state: State, instance: Instance): boolean =>
  state.statuses.get(instance.id)?.phase === 'ended'

/** Until its record is gone an instance holds its address; its cores and memory are free once it has ended. */
function enter(candidate: Candidate, instance: Instance, ended: boolean): void {
  if (instance.address !== undefined) candidate.usedAddresses.add(instance.address)
  if (ended) return
  candidate.cpuReservedMilli += instance.reservedCpuMilli ?? 0
  candidate.memoryReservedBytes += instance.reservedMemoryBytes ?? 0
  candidate.instances += 1
  for (const port of instance.hostPorts ?? []) candidate.usedHostPorts.add(port)
  const group = groupOf(instance)
  candidate.peers.set(group, (candidate.peers.get(group) ?? 0) + 1)
}

export const groupOf = (instance: Pick<Instance, 'app' | 'pool' | 'entrypoint'>): string =>
  `${instance.app}/${instance.pool}/${instance.entrypoint}`

/** A job serves nobody, so it asks for no port of its node: it may run beside the service whose entrypoint it borrows. */
export function requestOf(group: string, spec: EntrypointSpec, type: Instance['type'] = 'service'): PlacementRequest {
  const { cpuMilli, memoryBytes, diskBytes } = spec.resources
  return {
    group,
    hostPorts: type === 'job' ? [] : spec.ports.flatMap((port) => port.hostPort ?? []),
    ...(cpuMilli === undefined ? {} : { cpuMilli }),
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
    ...(diskBytes === undefined ? {} : { diskBytes }),
  }
}
