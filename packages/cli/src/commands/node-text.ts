import type { NodeView } from '@berth/api'
import { formatBandwidth, formatTaint, imageLimitsText } from '@berth/core'
import { formatBytes, formatCores } from '../output/format.ts'

/** Everything about a node, for people; `-o json` has it for programs. */
export function nodeText(node: NodeView): string {
  const { problems, staying = [] } = node
  const lines = facts(node).filter(([, value]) => value !== '')
  const width = Math.max(...lines.map(([name]) => name.length))
  return [
    ...lines.map(([name, value]) => `${name.padEnd(width)}  ${value}`),
    ...(staying.length === 0 ? [] : ['still there', ...staying.map(({ instance, why }) => `  ${instance} ${why}`)]),
    ...(problems.length === 0 ? [] : ['problems', ...problems.map((each) => `  ${each}`)]),
  ].join('\n')
}

const failoverText = ({ address, state, since, why }: NonNullable<NodeView['failover']>[number]): string =>
  state === 'holds'
    ? `has ${address}${since === undefined ? '' : ` since ${when(since)}`}`
    : `${state === 'waits' ? 'waits for' : 'cannot have'} ${address}${why === undefined ? '' : ` (${why})`}`

function facts(node: NodeView): (readonly [name: string, value: string])[] {
  const { upgrade, drain, endedFiles, config, routes, uplink, dockerNetworks = [] } = node
  return [
    ['node', node.name],
    [
      'state',
      `${node.online ? 'online' : 'offline'}${drain !== undefined ? `, draining (by ${drain.by})` : node.schedulable ? '' : ', cordoned'}`,
    ],
    ['version', node.agentVersion],
    ['upgrade', upgrade === undefined ? '' : `${upgrade.state}: ${upgrade.from} → ${upgrade.to}, ${when(upgrade.at)}`],
    [
      'configuration',
      config === undefined
        ? ''
        : `version ${config.version}${config.wanted === config.version ? '' : ` of ${config.wanted}`}, ${config.state}${config.drift.length === 0 ? '' : `, ${config.drift.length} drifted`}`,
    ],
    ['address', `${node.address}, instances in ${blocksText(node)}`],
    ['routes', routes === undefined ? '' : `bgp, ${routes.up} of ${routes.sessions} sessions up`],
    ['network', networkText(node)],
    ['other networks', dockerNetworks.join(', ')],
    ['uplink', uplink === undefined ? '' : uplinkText(uplink)],
    ['group', node.group ?? 'default'],
    ['gateway', gatewayText(node)],
    ['failover', (node.failover ?? []).map(failoverText).join('; ')],
    ['labels', pairs(node.labels)],
    ['taints', node.taints?.map(formatTaint).join(', ') ?? ''],
    ['resources', pairs(node.resources ?? {})],
    ['speed', String((node.speedMilli ?? 1000) / 1000)],
    ['images', node.imageRules === undefined ? '' : imageLimitsText(node.imageRules)],
    ['instances', String(node.instances)],
    ['cpu', `${formatCores(node.cpuGivenMilli)} of ${formatCores(node.cpuMilli)} given out`],
    ['memory', `${formatBytes(node.memoryGivenBytes)} of ${formatBytes(node.memoryBytes)} given out`],
    ['disk', `${formatBytes(node.diskFreeBytes)} of ${formatBytes(node.diskBytes)} free`],
    [
      'system',
      [node.os, node.kernel === '' ? '' : `Linux ${node.kernel}`, `cgroup ${node.cgroup}`].filter(Boolean).join(', '),
    ],
    ['docker', node.engineVersion],
    [
      'left files',
      endedFiles === undefined ? '' : `${endedFiles.directory}, kept ${endedFiles.keepMs / 86_400_000} days`,
    ],
    ['certificate', node.certificateExpiresAt === undefined ? '' : `until ${when(node.certificateExpiresAt)}`],
    ['joined', when(node.joinedAt)],
  ]
}

function networkText({ network }: NodeView): string {
  if (network === undefined) return ''
  return network.wanted === undefined
    ? network.driver
    : `${network.driver}, ${network.wanted} when no container is in it`
}

/** By its label it should be one; its agent says whether nginx runs. */
function gatewayText({ gateway, labels, online, gatewayReloads: reloads = 0 }: NodeView): string {
  const since =
    reloads === 0 ? '' : `; nginx has read a changed configuration ${reloads === 1 ? 'once' : `${reloads} times`}`
  if (labels.gateway === 'true') return gateway ? `runs${since}` : 'does not run yet'
  if (!gateway) return ''
  return online ? 'ends: it serves what it has begun' : 'ends once its agent hears that the label is gone'
}

const uplinkText = ({ name, bitsPerSecond }: NonNullable<NodeView['uplink']>): string =>
  bitsPerSecond === undefined
    ? `${name}, of unknown speed (bandwidth-in and bandwidth-out say it)`
    : `${name}, ${formatBandwidth(bitsPerSecond)}`

const when = (at: number): string => new Date(at).toISOString().replace(/\.\d+Z$/, 'Z')
const pairs = (of: Readonly<Record<string, unknown>>): string =>
  Object.entries(of)
    .map(([key, value]) => `${key}=${value}`)
    .join(' ')

const blocksText = ({ block, block6, furtherBlocks = [] }: NodeView): string => {
  const further = furtherBlocks.map((each) => `${each.block}${each.leaving ? ' (to be given back)' : ''}`)
  return [[block, ...further].join(', '), block6].filter((each) => each !== undefined).join(' and ')
}
