import { dirname } from 'node:path'
import {
  type Assignment,
  instanceSocketPath,
  type KernelGrant,
  type NetworkDriver,
  otherNetworkOf,
  type VolumeSpec,
} from '@berth/core'
import type { ContainerSpec, MountSpec } from '../engine/engine.ts'
import type { RuntimeFiles } from './runtime-files.ts'

/** Labels by which an agent finds its containers again. Those of a user never replace one of these. */
export const labels = {
  instance: 'berth.instance',
  /** Incarnation of the instance. */
  created: 'berth.created',
  app: 'berth.app',
  pool: 'berth.pool',
  entrypoint: 'berth.entrypoint',
  release: 'berth.release',
  node: 'berth.node',
  cluster: 'berth.cluster',
  assignment: 'berth.assignment',
  sealed: 'berth.sealed',
} as const

export interface SpecContext {
  readonly node: string
  readonly cluster: string
  readonly networkName: string
  /** Of the cluster's network on this node. */
  networkDriver(): NetworkDriver
  readonly pidsLimit: number
  readonly files: RuntimeFiles
  /** Digest of the assignment's immutable part, and the assignment itself, sealed. */
  readonly digest: string
  readonly sealed: string
  readonly grant: KernelGrant
}

export function containerSpec(assignment: Assignment, context: SpecContext): ContainerSpec {
  const { user, workingDirectory } = assignment
  return {
    name: assignment.instance,
    image: assignment.image,
    command: assignment.command,
    env: { ...assignment.env, ...secretVariables(assignment) },
    labels: { ...ownerLabels(assignment), ...berthLabels(assignment, context) },
    hostname: assignment.hostname,
    network: networkOf(assignment, context),
    mounts: mounts(assignment, context.files),
    ports: assignment.ports,
    ...(user === undefined ? {} : { user }),
    ...(workingDirectory === undefined ? {} : { workingDirectory }),
    capabilities: assignment.capabilities,
    sysctls: assignment.sysctls,
    ulimits: assignment.ulimits,
    init: assignment.init,
    pidsLimit: context.pidsLimit,
    stopSignal: assignment.stopSignal,
    stopGraceMs: assignment.stopGraceMs,
    logMaxBytes: assignment.logMaxBytes,
    logMaxFiles: assignment.logMaxFiles,
    ...context.grant,
    ...(assignment.diskBytes === undefined ? {} : { layerMaxBytes: assignment.diskBytes }),
  }
}

function networkOf(
  { network, address, address6 }: Assignment,
  { networkName, networkDriver }: Pick<SpecContext, 'networkName' | 'networkDriver'>,
): ContainerSpec['network'] {
  if (network === 'host') return network
  const other = otherNetworkOf(network)
  if (other !== undefined) return { name: other }
  // netd gives both in routed mode; to Docker its network has no subnet of IPv6.
  const isAsked = address6 !== undefined && networkDriver() === 'bridge'
  return { name: networkName, address, ...(isAsked ? { address6 } : {}) }
}

/** Only those whose owner has asked for it: what is in the environment lies on Docker's disk in clear. */
function secretVariables({ secrets }: Assignment): Record<string, string> {
  return Object.fromEntries(secrets.flatMap(({ env, value }) => (env === undefined ? [] : [[env, value]])))
}

const ownerLabels = (assignment: Assignment): Record<string, string> =>
  Object.fromEntries(Object.entries(assignment.labels).filter(([name]) => !name.startsWith('berth.')))

function berthLabels(assignment: Assignment, context: SpecContext): Record<string, string> {
  return {
    [labels.instance]: assignment.instance,
    ...(assignment.createdAt === undefined ? {} : { [labels.created]: String(assignment.createdAt) }),
    [labels.app]: assignment.app,
    [labels.pool]: assignment.pool,
    [labels.entrypoint]: assignment.entrypoint,
    [labels.release]: assignment.release,
    [labels.node]: context.node,
    [labels.cluster]: context.cluster,
    [labels.assignment]: context.digest,
    [labels.sealed]: context.sealed,
  }
}

function mounts(assignment: Assignment, files: RuntimeFiles): MountSpec[] {
  const { instance, secrets, config, volumes, socket } = assignment
  const bind = (source: string, target: string, readOnly: boolean): MountSpec => ({
    type: 'bind',
    source,
    target,
    readOnly,
  })
  return [
    bind(files.resolvConfOf(instance), '/etc/resolv.conf', true),
    bind(files.persistOf(assignment), '/persist', false),
    ...(socket === undefined ? [] : [bind(files.socketDirectoryOf(instance), dirname(instanceSocketPath), true)]),
    ...(secrets.length === 0 ? [] : [bind(files.secretsOf(instance), '/run/secrets', true)]),
    ...config.map(({ path }, index) => bind(files.configOf(instance, index), path, true)),
    ...volumes.map((volume) => volumeMount(volume, assignment)),
  ]
}

/** undefined for a container from before incarnations were told apart. */
export function incarnationOf(found: Readonly<Record<string, string>>): { readonly createdAt?: number } {
  const createdAt = Number(found[labels.created])
  return Number.isSafeInteger(createdAt) && createdAt > 0 ? { createdAt } : {}
}

/** A named volume is shared by the instances of a pool on this node, and by nobody else. */
function volumeMount(volume: VolumeSpec, { app, pool }: Assignment): MountSpec {
  switch (volume.type) {
    case 'named':
      return {
        type: 'volume',
        source: `${app}.${pool}.${volume.name}`,
        target: volume.path,
        readOnly: volume.readOnly,
      }
    case 'host':
      return { type: 'bind', source: volume.source, target: volume.path, readOnly: volume.readOnly }
    case 'tmpfs':
      return { type: 'tmpfs', target: volume.path, sizeBytes: volume.sizeBytes }
  }
}
