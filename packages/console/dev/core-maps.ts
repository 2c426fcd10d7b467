import type { InstanceView } from '@berth/api/instance-resources'
import type { NodeView } from '@berth/api/node-resources'
import type { CoreMapView } from '@berth/api/planning-resources'
import type { MockStore } from './mock-store.ts'

type Core = CoreMapView['cores'][number]
type Owner = Core['owners'][number]

/** How many NUMA nodes a machine of so many cores has. */
const numasOf = (cores: number): number => (cores >= 128 ? 8 : cores >= 32 ? 2 : 1)

/** Who owns which core, as the scheduler deals them out: whole ones first, fragments on the fullest core that has room. */
export function coreMapOf(store: MockStore, node: NodeView, now: number): CoreMapView {
  const group = store.get('listGroups', node.group ?? 'default')
  const cpu = group?.cpu ?? 'shared'
  const count = Math.ceil(node.cpuMilli / 1000)
  const instances = store.all('listInstances').filter((each) => each.node === node.name && each.phase !== 'ended')
  const owners: Owner[][] = Array.from({ length: count }, () => [])
  if (cpu === 'bound') for (const each of instances) own(owners, each)
  const overCommitted = node.name === 'anchor-2'
  const cores = owners.map((each, core) =>
    coreOf(core, Math.floor((core * numasOf(count)) / count), each, cpu === 'shared', now),
  )
  const over = overCommitted ? missingCore(count, instances) : []
  const restless = instances.filter((each) => each.entrypoint === 'rank')
  return {
    node: node.name,
    group: group?.name ?? 'default',
    cpu,
    speedMilli: node.speedMilli ?? 1000,
    overCommitted: over.length > 0,
    cores: [...cores, ...over],
    unbound: cpu === 'bound' ? [] : instances.map(({ id }) => id),
    throttled: restless.slice(0, 2).map(({ id }, index) => ({ instance: id, milli: 180 - 90 * index })),
    starving: restless.slice(2, 3).map(({ id }) => id),
  }
}

function own(owners: Owner[][], { id, cpuMilli = 0 }: InstanceView): void {
  let left = cpuMilli
  for (const core of owners) {
    if (left < 1000) break
    if (core.length > 0) continue
    core.push({ instance: id, milli: 1000 })
    left -= 1000
  }
  if (left === 0) return
  const given = (core: Owner[]): number => core.reduce((sum, each) => sum + each.milli, 0)
  const shared = owners
    .filter((core) => core.length > 0 && given(core) + left <= 1000)
    .sort((a, b) => given(b) - given(a))[0]
  const core = shared ?? owners.find((each) => each.length === 0)
  core?.push({ instance: id, milli: left })
}

function coreOf(core: number, numa: number, owners: readonly Owner[], shared: boolean, now: number): Core {
  const whole = owners.some(({ milli }) => milli === 1000)
  const wave = (1 + Math.sin(now / 9_000 + core * 2.3) * Math.cos(now / 23_000 + core)) / 2
  return {
    core,
    numa,
    present: true,
    state: owners.length === 0 ? 'free' : whole ? 'whole' : 'shared',
    owners: [...owners],
    busyMilli: Math.round(owners.length === 0 && !shared ? 30 * wave : 120 + 860 * wave),
  }
}

/** Given out, but the node does not report it any more. */
function missingCore(core: number, instances: readonly InstanceView[]): Core[] {
  const [first] = instances
  if (first === undefined) return []
  return [{ core, numa: 0, present: false, state: 'conflict', owners: [{ instance: first.id, milli: 500 }] }]
}
