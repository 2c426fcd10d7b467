import { blocksOf, type Instance, parseCores } from '@berth/core'
import { poolId, releaseId } from '../records/record-kinds.ts'
import type { DecodedRecords } from './decode-items.ts'

const milliOfCore = 1_000

/** What contradicts itself among records, one sentence each: nothing is given twice, and nothing points to what is not there. */
export function findViolations(records: DecodedRecords): string[] {
  const held = [...(records.instances?.values() ?? [])].filter(({ id }) => records.statuses?.get(id)?.phase !== 'ended')
  return [...addresses(held), ...ports(held), ...cores(held), ...blocks(records), ...references(records)]
}

function* addresses(instances: readonly Instance[]): Generator<string> {
  yield* twice(
    instances,
    // Several may have their node's.
    ({ address, network }) => (address === undefined || network !== undefined ? [] : [address]),
    (address) => `address ${address}`,
  )
}

function* ports(instances: readonly Instance[]): Generator<string> {
  const portsOf = ({ node, hostPorts = [], published = [] }: Instance) =>
    node === undefined
      ? []
      : [...hostPorts, ...published.map(({ hostPort }) => hostPort)].map((port) => `${node}:${port}`)
  yield* twice(instances, portsOf, (port) => `port ${port}`)
}

function* twice(
  instances: readonly Instance[],
  partsOf: (instance: Instance) => readonly string[],
  nameOf: (part: string) => string,
): Generator<string> {
  const owners = new Map<string, string>()
  for (const instance of instances)
    for (const part of partsOf(instance)) {
      const owner = owners.get(part)
      if (owner !== undefined) yield `${nameOf(part)} is given to ${owner} and to ${instance.id}`
      owners.set(part, instance.id)
    }
}

/** No core may be promised to more than it has. */
function* cores(instances: readonly Instance[]): Generator<string> {
  const given = new Map<string, number>()
  for (const { id, node, cores: text } of instances) {
    if (node === undefined || text === undefined) continue
    const read = parseCores(text)
    if (!read.ok) {
      yield `${id}: its cores “${text}” cannot be read`
      continue
    }
    const { whole, fragmentCore, fragmentMilli } = read.value
    const parts = whole.map((core) => [core, milliOfCore] as const)
    for (const [core, milli] of fragmentMilli > 0 ? [...parts, [fragmentCore, fragmentMilli] as const] : parts) {
      const sum = (given.get(`${node} ${core}`) ?? 0) + milli
      given.set(`${node} ${core}`, sum)
      if (sum > milliOfCore) yield `core ${core} of ${node} is given more than once, at last to ${id}`
    }
  }
}

function* blocks({ nodes }: DecodedRecords): Generator<string> {
  const owners = new Map<string, string>()
  for (const node of nodes?.values() ?? [])
    for (const block of blocksOf(node)) {
      const owner = owners.get(block)
      if (owner !== undefined) yield `block ${block} is given to node ${owner} and to node ${node.name}`
      owners.set(block, node.name)
    }
}

function* references(records: DecodedRecords): Generator<string> {
  const has = (kind: 'apps' | 'pools' | 'releases' | 'nodes', id: string): boolean => records[kind]?.has(id) === true
  for (const { app, name, release } of records.pools?.values() ?? []) {
    const id = poolId(app, name)
    if (!has('apps', app)) yield `pool ${id}: there is no app ${app}`
    if (release !== undefined && !has('releases', releaseId(app, release)))
      yield `pool ${id}: there is no release ${release}`
  }
  for (const { id, app, pool, release, node, ordinal, entrypoint } of records.instances?.values() ?? []) {
    if (!has('releases', releaseId(app, release))) yield `instance ${id}: there is no release ${release} of ${app}`
    if (node !== undefined && !has('nodes', node)) yield `instance ${id}: there is no node ${node}`
    const owner = records.pools?.get(poolId(app, pool))
    if (owner === undefined) yield `instance ${id}: there is no pool ${poolId(app, pool)}`
    else if (ordinal >= (owner.nextOrdinal[entrypoint] ?? 0)) yield `instance ${id}: its number is to be given again`
  }
}
