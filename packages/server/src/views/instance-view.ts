import type { InstanceView } from '@berth/api'
import type { Instance, InstanceStatus } from '@berth/core'
import { hasTwin, twinAddress } from '../addresses/twin-pools.ts'
import { withReachedAddress } from '../lans/lan-nodes.ts'
import { awaitsGateways } from './awaits-gateways.ts'
import { nodeResources } from './node-view.ts'
import { defined, type ViewContext } from './view-context.ts'

type Growing = { -readonly [K in keyof InstanceView]: InstanceView[K] }

/** A list has thousands: one object each, of one shape for those that are alike, and nothing that is thrown away. */
export function instanceView({ state, traffic, isOnline }: ViewContext, instance: Instance): InstanceView {
  const { id, app, pool, entrypoint, ordinal, release, generation, type, desired, node, createdAt, createdBy } =
    instance
  const status = state.statuses.get(id)
  const offline = node !== undefined && !isOnline(node)
  const [name, inTraffic] = [`${entrypoint}-${ordinal}`, traffic.isInTraffic(id)]
  const phase = status?.phase ?? (node === undefined ? 'pending' : 'assigned')
  const restarts = status?.restarts ?? 0
  // What an unreachable agent said last is no news: nobody knows whether it still holds.
  const ready = status?.ready === true && !offline
  const always = { id, name, app, pool, entrypoint, release, generation, type, desired, createdAt, createdBy }
  const view: Growing = { ...always, phase, restarts, ready, inTraffic }
  addWanted(view, withReachedAddress(state, instance))
  const address6 =
    instance.address !== undefined && hasTwin(state, instance) ? twinAddress(state, instance.address) : undefined
  if (address6 !== undefined) view.address6 = address6
  addLimits(view, instance, state)
  if (status !== undefined) addObserved(view, instance, status)
  const message = messageFor(instance, status, offline) ?? whyItDrains(instance, status, traffic)
  if (message !== undefined) view.message = message
  return view
}

function addWanted(view: Growing, instance: Instance): void {
  const { rollout, node, address, cpuMilli, memoryBytes, stopReason, group, cores, priority, dueAt } = instance
  const { command, resources, sizedAlone, network, networks, published, slot } = instance
  if (command !== undefined) view.command = [...command]
  if (rollout !== undefined) view.rollout = rollout
  if (node !== undefined) view.node = node
  if (address !== undefined) view.address = address
  if (slot !== undefined) view.slot = slot
  if (network !== undefined) view.network = network
  if (networks !== undefined) view.networks = networks.map(({ name }) => ({ name }))
  if (published !== undefined) view.published = published.map((each) => ({ ...each }))
  if (cpuMilli !== undefined) view.cpuMilli = cpuMilli
  if (memoryBytes !== undefined) view.memoryBytes = memoryBytes
  if (stopReason !== undefined) view.stopReason = stopReason
  if (group !== undefined) view.group = group
  if (cores !== undefined) view.cores = cores
  if (priority !== undefined) view.priority = priority
  if (dueAt !== undefined) view.dueAt = dueAt
  if (sizedAlone !== undefined) view.sizedAlone = sizedAlone
  if (resources !== undefined) view.resources = nodeResources(resources)
}

/** Of its network: what was set since, or what its release says. */
function addLimits(view: Growing, { app, release, entrypoint, sizes }: Instance, state: ViewContext['state']): void {
  const written = state.releases.find(app, release)?.spec.entrypoints[entrypoint]?.resources
  const into = sizes?.inBitsPerSecond ?? written?.inBitsPerSecond
  const out = sizes?.outBitsPerSecond ?? written?.outBitsPerSecond
  if (into !== undefined) view.inBitsPerSecond = into
  if (out !== undefined) view.outBitsPerSecond = out
}

function addObserved(view: Growing, instance: Instance, status: InstanceStatus): void {
  const { readyAt, containerId, lastExit, logTail, startedAt, endedAt, networks } = status
  if (networks !== undefined) view.networks = observedNetworks(view.networks, networks)
  if (readyAt !== undefined) view.readyAt = readyAt
  if (containerId !== undefined) view.containerId = containerId
  if (startedAt !== undefined) view.startedAt = startedAt
  if (endedAt !== undefined) view.endedAt = endedAt
  const granted = grantedOtherwise(instance, status)
  if (granted !== undefined) view.granted = granted
  if (lastExit !== undefined) view.lastExit = { ...lastExit }
  if (logTail !== undefined) view.logTail = [...logTail]
}

/** Those that are wanted, with their address as soon as it has one, and what it is in besides. */
function observedNetworks(
  wanted: InstanceView['networks'] = [],
  observed: NonNullable<InstanceStatus['networks']>,
): NonNullable<InstanceView['networks']> {
  const all = new Map(wanted.map((each) => [each.name, each]))
  for (const each of observed) all.set(each.name, { ...all.get(each.name), ...each })
  return [...all.values()]
}

/** What the container has, where that is not what the instance is to have. */
function grantedOtherwise(instance: Instance, status: InstanceStatus): InstanceView['granted'] {
  if (status.granted === undefined) return undefined
  const { cpuMilli = instance.cpuMilli, cores = instance.cores, memoryBytes } = status.granted
  const isSame = cpuMilli === instance.cpuMilli && cores === instance.cores && memoryBytes === instance.memoryBytes
  return isSame ? undefined : defined({ cpuMilli, cores, memoryBytes })
}

/** While it drains and only finishes what it has, there is nothing to say. */
function whyItDrains(
  { id, desired }: Instance,
  status: InstanceStatus | undefined,
  traffic: ViewContext['traffic'],
): string | undefined {
  if (desired !== 'drain' || status?.phase !== 'running') return undefined
  const behind = traffic.gatewaysBehind(id)
  return behind.length === 0 ? undefined : awaitsGateways(behind)
}

function messageFor(instance: Instance, status: InstanceStatus | undefined, offline: boolean): string | undefined {
  if (instance.node === undefined) return instance.unplaced
  if (instance.waitsFor !== undefined)
    return `its place is kept until ${instance.waitsFor.join(', ')} left ${instance.node}`
  if (offline) return `node ${instance.node} is offline; what it said last may not hold any more`
  return status?.message
}
