import type { Answer, CallInput } from '@berth/api/client'
import type { NodeView } from '@berth/api/node-resources'
import type { GroupView } from '@berth/api/scheduling-resources'
import { BerthError } from '@berth/core/model/berth-error'
import { coreMapOf } from './core-maps.ts'
import { type JsonHandlers, need } from './handlers.ts'
import type { MockStore } from './mock-store.ts'
import type { Simulation } from './simulation.ts'
import { countGroups } from './totals.ts'

/** Cores, groups and what decides where instances run. */
export function schedulingHandlers(store: MockStore, simulation: Simulation): JsonHandlers {
  const node = (name = ''): NodeView => need(store.get('listNodes', name), `node ${name}`)
  const running = new Map<string, Answer<'getRebalance'>>()
  const group = (name = ''): GroupView => need(store.get('listGroups', name), `group ${name}`)
  const rebalanced = (name: string, state: 'running' | 'ended', message: string): Answer<'getRebalance'> => {
    const made = rebalance(name, state, message)
    running.set(name, made)
    store.put('listGroups', { ...group(name), rebalance: state })
    return made
  }
  return {
    getCoreMap: ({ params: { name } }) => coreMapOf(store, node(name), Date.now()),
    planRebalance: ({ params: { name = '' } }) => ({ group: name, moves: name === 'fast' ? moves : [] }),
    getRebalance: ({ params: { name = '' } }) => need(running.get(name), `rebalance of ${name}`),
    startRebalance: ({ params: { name = '' } }) => rebalanced(name, 'running', 'one instance is under way'),
    stopRebalance: ({ params: { name = '' } }) => rebalanced(name, 'ended', 'stopped by token:dev'),
    getGroup: ({ params: { name } }) => group(name),
    createGroup: ({ body: { name, ...rules } }) => createGroup(store, name, rules),
    updateGroup: ({ params: { name }, body }) => store.put('listGroups', ruled(group(name), body)),
    removeGroup: ({ params: { name } }) => {
      const { nodes } = group(name)
      if (nodes > 0)
        throw new BerthError(
          'group.in-use',
          `remove node group ${name}: ${nodes} nodes are in it; put them elsewhere with: berth node group NODE GROUP`,
        )
      store.remove('listGroups', name ?? '')
      return { ok: true }
    },
    updateNode: ({ params: { name }, body }) => updateNode(store, node(name), body),
    measureNode: ({ params: { name }, body: { against } }) => ({
      node: store.put('listNodes', { ...node(name), speedMilli: 870 }),
      against: against ?? 'anchor-1',
      measured: 870,
      reference: 1000,
    }),
    movePool: ({ params: { app = '', pool: name = '' }, body }) => {
      const found = need(store.get('listApps', app), `app ${app}`)
      const { group: _, ...before } = need(
        found.pools.find((each) => each.name === name),
        `pool ${app}/${name}`,
      )
      const pool = body.group === null ? before : { ...before, group: body.group }
      store.put('listApps', { ...found, pools: found.pools.map((each) => (each.name === name ? pool : each)) })
      return { pool, rollout: simulation.rollout(pool, pool.release ?? 'v1', 'restart') }
    },
  }
}

const moves = [1, 2, 3].map((n) => ({
  ...{ instance: `search.production.query-${n}`, from: 'mast-2', to: 'mast-1' },
  ...{ beforeMilli: 651 - 4 * n, afterMilli: 647 - 4 * n },
}))

const rebalance = (group: string, state: 'running' | 'ended', message: string): Answer<'getRebalance'> => ({
  ...{ group, state, message, done: 1, movesLeft: 2, disruption: 1, moves: [] },
  ...{ startedAt: Date.now(), createdBy: 'token:dev' },
})

type NodeChange = NonNullable<CallInput<'updateNode'>['body']>

function updateNode(store: MockStore, node: NodeView, change: NodeChange): Answer<'updateNode'> {
  const { labels = {}, taints = {}, resources = {}, group, ...rest } = change
  if (group !== undefined && node.instances > 0)
    throw new BerthError(
      'node.in-use',
      `put ${node.name} into node group ${group}: ${node.instances} instances run on it; drain it first (berth node drain ${node.name})`,
    )
  const before = Object.fromEntries((node.taints ?? []).map(({ key, value = '' }) => [key, value]))
  const changed: NodeView = {
    ...node,
    ...Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined)),
    ...(group === undefined ? {} : { group }),
    labels: merged(node.labels, labels),
    taints: Object.entries(merged(before, taints)).map(([key, value]) => (value === '' ? { key } : { key, value })),
    resources: merged(node.resources ?? {}, resources),
  }
  store.put('listNodes', changed)
  countGroups(store)
  return changed
}

/** null removes. */
const merged = <T>(
  before: Readonly<Record<string, T>>,
  change: Readonly<Record<string, T | null>>,
): Record<string, T> =>
  Object.fromEntries(Object.entries({ ...before, ...change }).filter((each): each is [string, T] => each[1] !== null))

function createGroup(store: MockStore, name: string, rules: object): GroupView {
  if (store.get('listGroups', name) !== undefined)
    throw new BerthError(
      'group.exists',
      `there is a node group ${name} already; change it with: berth group set ${name}`,
    )
  const nothing = { nodes: 0, instances: 0, cpuMilli: 0, cpuGivenMilli: 0, memoryBytes: 0, memoryGivenBytes: 0 }
  const base = { name, cpu: 'shared' as const, shareBase: 10 as const, oversellMilli: 1000, ...nothing }
  return store.put('listGroups', { ...base, ...rules, createdAt: Date.now(), createdBy: 'token:dev' })
}

const ruled = (group: GroupView, change: object): GroupView =>
  Object.fromEntries(Object.entries({ ...group, ...change }).filter(([, value]) => value !== null)) as GroupView
