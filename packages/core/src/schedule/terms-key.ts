import type { InstanceRequest, Peer, Strategy } from './instance-request.ts'
import type { Sizes } from './node-class.ts'

/** Every field of a request but its sizes: a new one does not compile until it is here, and its test fails until it is in the key. */
export const keyedFields: Readonly<Record<Exclude<keyof InstanceRequest, keyof Sizes>, true>> = {
  entrypoint: true,
  diskBytes: true,
  resources: true,
  hostPorts: true,
  network: true,
  hasAddress: true,
  networks: true,
  volumes: true,
  group: true,
  strategy: true,
  where: true,
  prefer: true,
  apart: true,
  near: true,
  spread: true,
  max: true,
  tolerate: true,
  evenCordoned: true,
  priority: true,
  preempt: true,
  preemptible: true,
  seed: true,
}

/**
 * Equal terms have equal keys. It is made for every decision, so it is put together by hand: the control characters occur in none of
 * the texts, which are names and requirements.
 */
export function termsKey(request: InstanceRequest): string {
  const { group, strategy, diskBytes, priority, seed, where, max, resources } = request
  let key = `${request.entrypoint}\n${group ?? ''}`
  if (strategy !== undefined && strategy.type !== 'spread') key += `\n\x01${strategyKey(strategy)}`
  if (diskBytes !== undefined) key += `\n\x02${diskBytes}`
  if (priority !== undefined) key += `\n\x03${priority}`
  if (request.preempt === true) key += '\n\x04'
  if (request.preemptible === true) key += '\n\x05'
  if (request.evenCordoned === true) key += '\n\x17'
  if (request.hasAddress === true) key += '\n\x1a'
  if (seed !== undefined) key += `\n\x06${seed}`
  if (max?.node !== undefined) key += `\n\x07${max.node}`
  if (max?.site !== undefined) key += `\n\x08${max.site}`
  if (where !== undefined && where.length > 0) key += `\n\x0e${where.join('\x01')}`
  if (resources !== undefined) for (const name in resources) key += `\n\x0f${name}\x01${resources[name]}`
  return key + peersKey(request) + rareKey(request)
}

const strategyKey = (strategy: Strategy): string =>
  'count' in strategy ? `${strategy.type} ${strategy.count}` : strategy.type

function peersKey({ apart, near, spread }: InstanceRequest): string {
  let key = ''
  if (apart !== undefined && apart.length > 0) for (const peer of apart) key += `\n\x10${peerText(peer)}`
  if (near !== undefined && near.length > 0) for (const peer of near) key += `\n\x11${peerText(peer)}`
  if (spread === undefined) return key
  key += `\n\x12${spread.over}`
  if (spread.shares !== undefined) for (const value in spread.shares) key += `\x01${value}\x02${spread.shares[value]}`
  return key
}

const peerText = ({ app, entrypoint, over, weight }: Peer): string =>
  `${app}/${entrypoint ?? ''}\x01${over ?? ''}\x01${weight ?? ''}`

function rareKey({ hostPorts, network, networks, volumes, prefer, tolerate }: InstanceRequest): string {
  let key = network === undefined ? '' : `\n\x18${network}`
  if (hostPorts !== undefined && hostPorts.length > 0) key += `\n\x13${hostPorts.join(' ')}`
  if (networks !== undefined && networks.length > 0) key += `\n\x19${networks.join('\x01')}`
  if (volumes !== undefined && volumes.length > 0) key += `\n\x14${volumes.join('\x01')}`
  if (prefer !== undefined) for (const { where, weight } of prefer) key += `\n\x15${weight} ${where}`
  if (tolerate !== undefined) for (const taint of tolerate) key += `\n\x16${taint.key}\x01${taint.value ?? '\x02'}`
  return key
}
