import {
  type Booking,
  dockerNetworksOf,
  type EntrypointSpec,
  guaranteedResources,
  type Instance,
  type InstanceRequest,
  type InstanceStatus,
  nodeGroupOf,
  ownNetworkOf,
  type Pool,
  placementOf,
  type Rollout,
  type Sizes,
  sizesOf,
} from '@berth/core'

/** The label that every node has in the books: its name. */
export const nameLabel = 'node'

export const entrypointKey = (instance: Pick<Instance, 'app' | 'pool' | 'entrypoint'>): string =>
  `${instance.app}/${instance.pool}/${instance.entrypoint}`

type Subject = Pick<Instance, 'app' | 'pool' | 'entrypoint' | 'type' | 'pinnedTo'>
type SizedPool = Pick<Pool, 'group' | 'sizes'>

/** Of a pool whose spec has its sizes in it already. */
export const groupOf = (pool: Pool | undefined): Pick<Pool, 'group'> =>
  pool?.group === undefined ? {} : { group: pool.group }

/** A job serves nobody, so it asks for no port of its node: it may run beside the service whose entrypoint it borrows. */
export function requestOf(
  subject: Subject,
  spec: EntrypointSpec,
  pool: SizedPool,
  rollout?: Pick<Rollout, 'state' | 'groupBefore' | 'sizesBefore'>,
): InstanceRequest {
  const placement = placementOf(spec)
  const { diskBytes, extra } = spec.resources
  const { cpuMilli, memoryBytes } = sizesOf(subject.entrypoint, spec, pool, rollout)
  const isPinned = subject.pinnedTo !== undefined
  const pinned = isPinned ? [`${nameLabel} = ${subject.pinnedTo}`] : []
  return defined({
    entrypoint: entrypointKey(subject),
    group: nodeGroupOf(spec, pool, rollout),
    ...{ cpuMilli, memoryBytes, diskBytes },
    resources: { ...extra, ...guaranteedResources(spec.resources) },
    hostPorts: subject.type === 'job' ? [] : spec.ports.flatMap((port) => port.hostPort ?? []),
    network: spec.network,
    networks: dockerNetworksOf(spec.network, spec.networks),
    // How many belong to a node is decided; beside the one that leaves there is one more for a while.
    strategy: isPinned ? undefined : placement.strategy,
    max: isPinned ? undefined : placement.max,
    evenCordoned: isPinned ? true : undefined,
    where: [...placement.where, ...pinned],
    prefer: placement.prefer,
    apart: placement.apart,
    near: placement.near,
    spread: placement.spread,
    tolerate: placement.tolerate,
    priority: spec.priority,
    preempt: spec.preempt,
    preemptible: spec.preemptible,
    // A job that asks for no CPU runs where nobody owns the cores.
    unbound: subject.type === 'job' && cpuMilli === undefined ? true : undefined,
  })
}

/** With the ports that were published for it where it runs. */
export function withPublished(request: InstanceRequest, { published }: Pick<Instance, 'published'>): InstanceRequest {
  if (published === undefined) return request
  const { hostPorts = [] } = request
  return { ...request, hostPorts: [...new Set([...hostPorts, ...published.map(({ hostPort }) => hostPort)])] }
}

/** Of an instance whose release is not known any more: what its record says is kept for it. */
export function requestOfRecord(instance: Instance): InstanceRequest {
  const { group, reservedCpuMilli: cpuMilli, reservedMemoryBytes: memoryBytes, hostPorts, resources } = instance
  const counts = Object.entries(resources ?? {}).map(([name, each]) => [
    name,
    typeof each === 'number' ? each : each.length,
  ])
  const request = defined({
    entrypoint: entrypointKey(instance),
    ...{ group, cpuMilli, memoryBytes, hostPorts, network: instance.network },
    networks: dockerNetworksOf(
      instance.network,
      instance.networks?.map(({ name }) => name),
    ),
    resources: Object.fromEntries(counts),
    unbound: instance.cores === undefined ? true : undefined,
  })
  return withPublished(request, instance)
}

/** Of named resources nothing is said here. */
export const isSameBooking = (a: Booking, b: Booking): boolean =>
  a.node === b.node &&
  a.cpuMilli === b.cpuMilli &&
  a.memoryBytes === b.memoryBytes &&
  a.reservedCpuMilli === b.reservedCpuMilli &&
  a.reservedMemoryBytes === b.reservedMemoryBytes &&
  a.cores === b.cores &&
  a.named === undefined &&
  b.named === undefined

/** On any node but these. */
export const exceptOn = (nodes: readonly string[], request: InstanceRequest): InstanceRequest =>
  nodes.length === 0
    ? request
    : { ...request, where: [...(request.where ?? []), ...nodes.map((node) => `${nameLabel} != ${node}`)] }

/** Memory that was given back stays reserved until the agent has lowered the limit. */
export function bookingOfRecord(instance: Instance, node: string, status?: InstanceStatus): Booking {
  const named = Object.entries(instance.resources ?? {}).filter(([, each]) => typeof each !== 'number')
  const { memoryBytes = 0, reservedMemoryBytes = 0, heldMemoryBytes = 0 } = instance
  const isLowered = status?.granted === undefined || status.granted.memoryBytes <= memoryBytes
  return {
    node,
    cpuMilli: instance.cpuMilli ?? 0,
    memoryBytes,
    reservedCpuMilli: instance.reservedCpuMilli ?? 0,
    reservedMemoryBytes: isLowered ? reservedMemoryBytes : Math.max(reservedMemoryBytes, heldMemoryBytes),
    ...(instance.cores === undefined ? {} : { cores: instance.cores }),
    ...(named.length === 0 ? {} : { named: Object.fromEntries(named) as Record<string, readonly string[]> }),
  }
}

/** What a booking is in an instance's record. */
export function recordOfBooking(booking: Booking, request: InstanceRequest): Partial<Instance> {
  const { node, cpuMilli, memoryBytes, cores, named } = booking
  const counts = Object.entries(request.resources ?? {}).filter(([name]) => named?.[name] === undefined)
  const resources = { ...Object.fromEntries(counts), ...named }
  return defined({
    ...{ node, cpuMilli, memoryBytes, cores },
    ...{ group: request.group, network: request.network },
    networks: attachmentsOf(request),
    priority: request.priority === 0 ? undefined : request.priority,
    reservedCpuMilli: booking.reservedCpuMilli === 0 ? undefined : booking.reservedCpuMilli,
    reservedMemoryBytes: booking.reservedMemoryBytes === 0 ? undefined : booking.reservedMemoryBytes,
    hostPorts: request.hostPorts?.length === 0 ? undefined : request.hostPorts,
    resources: Object.keys(resources).length === 0 ? undefined : resources,
  })
}

/** Beside its own. */
function attachmentsOf({ network, networks = [] }: InstanceRequest): Instance['networks'] {
  const others = networks.filter((name) => name !== ownNetworkOf(network))
  return others.length === 0 ? undefined : others.map((name) => ({ name }))
}

/** Of its node's block; undefined: its address is none that is given out. */
export const givenAddress = ({ network, address }: Pick<Instance, 'network' | 'address'>): string | undefined =>
  network === undefined ? address : undefined

/** The record after a resize. `held`: memory that is still reserved beside that. */
export function resizedRecord(instance: Instance, booking: Booking, sizes: Sizes | undefined, held: number): Instance {
  const { reservedCpuMilli: _, reservedMemoryBytes: _m, heldMemoryBytes: _h, cores: _c, sizes: _s, ...rest } = instance
  const { cpuMilli, memoryBytes, cores, reservedCpuMilli, reservedMemoryBytes } = booking
  return {
    ...rest,
    ...defined({
      ...{ cpuMilli, memoryBytes, cores, sizes },
      reservedCpuMilli: reservedCpuMilli === 0 ? undefined : reservedCpuMilli,
      reservedMemoryBytes: reservedMemoryBytes === 0 ? undefined : reservedMemoryBytes,
      heldMemoryBytes: held > reservedMemoryBytes ? held : undefined,
    }),
  }
}

type Defined<T> = { [K in keyof T]: Exclude<T[K], undefined> }

/** Absent and undefined are not the same in a record. */
const defined = <T extends object>(value: T): Defined<T> =>
  Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as Defined<T>
