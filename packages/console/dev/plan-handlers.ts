import type { PoolView } from '@berth/api/app-resources'
import type { Answer } from '@berth/api/client'
import type { NodeView } from '@berth/api/node-resources'
import type { ImaginedNodes, PlacementView, RehearsalView, SavedPlan } from '@berth/api/planning-resources'
import { BerthError } from '@berth/core/model/berth-error'
import { type JsonHandlers, need } from './handlers.ts'
import type { MockStore } from './mock-store.ts'
import type { Simulation } from './simulation.ts'

interface Hypothesis {
  readonly without?: readonly string[]
  readonly with?: readonly ImaginedNodes[]
}

interface Question extends Hypothesis {
  readonly pool: string
  readonly ref?: string
  readonly release?: string
  readonly replicas?: Readonly<Record<string, number>>
}

type Entrypoint = PoolView['entrypoints'][number]
interface Room {
  readonly node: string
  readonly cpuMilli: number
}

/** Plans and capacity, by CPU alone. */
export function planHandlers(store: MockStore, simulation: Simulation): JsonHandlers {
  const pool = (app: string, name: string): PoolView =>
    need(
      store.get('listApps', app)?.pools.find((each) => each.name === name),
      `pool ${app}/${name}`,
    )
  return {
    planDeploy: ({ params: { app = '' }, body }) => plan(store, app, body),
    applyPlan: ({ body: { plan: saved } }) => applyPlan(store, simulation, pool(saved.app, saved.pool), saved),
    getCapacity: ({ params: { app = '', pool: name = '' }, body }) => {
      const found = pool(app, name)
      return { entrypoints: services(found).map((each) => capacityOf(roomOf(store, found, body), each)) }
    },
  }
}

const services = ({ entrypoints }: PoolView): Entrypoint[] => entrypoints.filter(({ type }) => type === 'service')

function roomOf(store: MockStore, pool: PoolView | undefined, { without = [], with: added = [] }: Hypothesis): Room[] {
  const group = pool?.group ?? 'default'
  const real = store
    .all('listNodes')
    .filter((node) => (node.group ?? 'default') === group && !without.includes(node.name))
    .map((node) => ({ node: node.name, cpuMilli: Math.max(0, node.cpuMilli - node.cpuGivenMilli) }))
  const imagined = added.flatMap(({ count, cpuMilli }, set) =>
    Array.from({ length: count }, (_, index) => ({ node: `imagined-${set + 1}-${index + 1}`, cpuMilli })),
  )
  return [...real, ...imagined]
}

function place(room: readonly Room[], { name, cpuMilli = 500 }: Entrypoint, count: number): PlacementView {
  const nodes = room.map(({ node, cpuMilli: free }) => ({ node, fit: Math.floor(free / cpuMilli), count: 0 }))
  let left = count
  while (left > 0) {
    const next = nodes.filter((each) => each.count < each.fit).sort((a, b) => a.count - b.count || b.fit - a.fit)[0]
    if (next === undefined) break
    next.count += 1
    left -= 1
  }
  const used = nodes.filter((each) => each.count > 0).map(({ node, count: on }) => ({ node, count: on }))
  return { entrypoint: name, nodes: used, missing: left }
}

function capacityOf(room: readonly Room[], entrypoint: Entrypoint): Answer<'getCapacity'>['entrypoints'][number] {
  const cpuMilli = entrypoint.cpuMilli ?? 500
  if (entrypoint.name === 'transcode')
    return {
      ...{ entrypoint: 'transcode', running: entrypoint.running, more: 0, nodes: 0 },
      missing: [{ what: 'encoder', nodes: 1 }],
      refused:
        '5 nodes: 3 another group, 1 tainted (mast-1, dedicated=search), 1 too little encoder (most free: mast-2, 0 of 1)',
    }
  const fits = room.map((each) => Math.floor(each.cpuMilli / cpuMilli))
  const best = room.toSorted((a, b) => b.cpuMilli - a.cpuMilli)[0]
  const none = fits.filter((each) => each === 0).length
  const least =
    best === undefined ? 'no node' : `most free: ${best.node}, ${best.cpuMilli / 1000} of ${cpuMilli / 1000}`
  return {
    entrypoint: entrypoint.name,
    running: entrypoint.running,
    more: fits.reduce((a, b) => a + b, 0),
    nodes: fits.length - none,
    missing: [
      { what: 'CPU', nodes: room.length },
      { what: 'memory', nodes: 1 },
    ],
    ...(none === 0 ? {} : { refused: `${room.length} nodes: ${none} too little CPU (${least})` }),
  }
}

function plan(store: MockStore, app: string, question: Question): Answer<'planDeploy'> {
  const { pool: name, ref, release, replicas = {} } = question
  if (ref === 'nonsense')
    throw new BerthError(
      'source.ref-not-found',
      `find ${ref} in the repository of ${app}: there is no such branch, tag or commit`,
    )
  const pool = store.get('listApps', app)?.pools.find((each) => each.name === name)
  const replaces = ref !== undefined || (release !== undefined && release !== pool?.release)
  const room = roomOf(store, pool, question)
  const entrypoints = (pool === undefined ? [] : services(pool)).map((each) => {
    const wanted = replicas[each.name] ?? each.wanted
    const kept = Math.min(each.wanted, wanted)
    const replace = replaces && each.name === 'web' ? kept : 0
    return { entrypoint: each, create: Math.max(0, wanted - each.wanted), destroy: each.wanted - kept, replace, kept }
  })
  const placements = entrypoints
    .filter(({ create, replace }) => create + replace > 0)
    .map(({ entrypoint, create, replace }) => ({
      ...place(room, entrypoint, create + replace),
      ...(entrypoint.name === 'rank' && create > 20 ? { displaces: leaving } : {}),
    }))
  const problems = placements
    .filter(({ missing }) => missing > 0)
    .map((each) => problemOf(each, room, services(pool as PoolView)))
  const counted = entrypoints.map(({ entrypoint, create, destroy, replace, kept }) => ({
    name: entrypoint.name,
    action: create + destroy + replace > 0 ? ('update' as const) : ('unchanged' as const),
    ...{ create, destroy, replace, unchanged: kept - replace },
    serving: {
      now: entrypoint.wanted,
      lowest: kept,
      highest: entrypoint.wanted + create + (replace > 0 ? 1 : 0),
    },
  }))
  return {
    ...{ app, pool: name, to: release ?? (ref === undefined ? (pool?.release ?? '') : `build of ${ref}`) },
    ...(pool?.release === undefined ? {} : { from: pool.release }),
    changes: replaces || counted.some(({ action }) => action !== 'unchanged'),
    entrypoints: counted,
    diff: replaces ? changesOfSpec : [],
    problems,
    placements,
    steps: stepsOf(counted, ref !== undefined),
    ...(replaces && pool !== undefined ? { rehearsal: rehearsalOf(store, placements) } : {}),
    ...savedOf(store, pool, question, placements, problems),
  }
}

/** A canary, then the rest; old ones go where the next new one comes. */
function rehearsalOf(store: MockStore, placements: readonly PlacementView[]): RehearsalView {
  const created = placements.flatMap(({ entrypoint, nodes }) =>
    nodes.map(({ node, count }) => ({ entrypoint, node, isNew: true, count })),
  )
  const goes = (list: typeof created) => list.map((each) => ({ ...each, isNew: false }))
  const canary = created.slice(0, 1).map((each) => ({ ...each, count: 1 }))
  const rest = created.flatMap((each, index) => {
    const count = index === 0 ? each.count - 1 : each.count
    return count > 0 ? [{ ...each, count }] : []
  })
  const stage = (name: string, list: typeof created): RehearsalView['stages'][number] => ({
    ...{ name, created: list, left: goes(list) },
    serving: Object.fromEntries(
      placements.map(({ entrypoint, nodes }) => {
        const all = nodes.reduce((sum, { count }) => sum + count, 0)
        return [entrypoint, { lowest: all, highest: all + 1 }]
      }),
    ),
    peaks: [...new Set(list.map(({ node }) => node))].map((node) => {
      const { cpuMilli = 8000, memoryBytes = 16 * 1024 ** 3 } = store.get('listNodes', node) ?? {}
      return {
        node,
        cpuMilli: cpuMilli / 2,
        memoryBytes: memoryBytes / 4,
        ofCpuMilli: cpuMilli,
        ofMemoryBytes: memoryBytes,
      }
    }),
  })
  const none = placements.filter(({ missing }) => missing > 0)
  return {
    stages: [stage('canary', canary), stage('all', rest)],
    end: none.length > 0 ? 'stuck' : 'done',
    unplaced: none.map(({ entrypoint, missing }) => ({ entrypoint, count: missing, why: 'too little CPU' })),
    unknown: ['not-serving'],
    kept: [{ entrypoint: 'db', slot: 1, address: '10.77.1.5', node: 'mast-1', home: 'mast-1' }],
  }
}

const leaving = [
  { instance: 'video.production.upload-5', node: 'mast-2' },
  { instance: 'video.production.upload-6', node: 'mast-2' },
]

const changesOfSpec: Answer<'planDeploy'>['diff'] = [
  { op: '~', path: 'entrypoints.web.env.COLOR', before: 'blue', after: 'green' },
  { op: '+', path: 'entrypoints.web.health.readiness', after: { http: '/healthz', port: 8080 } },
  { op: '-', path: 'entrypoints.worker.env.LEGACY_QUEUE', before: 'amqp://queue.example.com' },
]

function problemOf({ entrypoint, nodes, missing }: PlacementView, room: readonly Room[], all: Entrypoint[]): string {
  const count = missing + nodes.reduce((sum, each) => sum + each.count, 0)
  const own = all.find(({ name }) => name === entrypoint)
  const why =
    own === undefined
      ? ''
      : (capacityOf(
          room.map((each) => ({ ...each, cpuMilli: 0 })),
          own,
        ).refused ?? '')
  return `${entrypoint}: ${missing} of ${count} find no place: ${why}`
}

function stepsOf(entrypoints: Answer<'planDeploy'>['entrypoints'], build: boolean): string[] {
  return [
    ...(build ? ['build the image'] : []),
    ...entrypoints.flatMap(({ name, create, replace, destroy }) => [
      ...(replace > 0 ? [`replace ${replace} of ${name}, at most 1 more and 0 fewer than wanted at a time`] : []),
      ...(create > 0 ? [`create ${create} of ${name}`] : []),
      ...(destroy > 0 ? [`drain and remove ${destroy} of ${name}`] : []),
    ]),
  ]
}

const digestOf = (node: NodeView | undefined): string =>
  `${node?.instances} ${node?.cpuGivenMilli} ${node?.schedulable}`

function savedOf(
  store: MockStore,
  pool: PoolView | undefined,
  { ref, release, replicas = {}, without, with: added }: Question,
  placements: readonly PlacementView[],
  problems: readonly string[],
): Pick<Answer<'planDeploy'>, 'saved' | 'unsaved'> {
  if (without !== undefined || added !== undefined) return { unsaved: 'some of its nodes are imagined' }
  if (ref !== undefined || pool === undefined) return { unsaved: `commit ${ref} is not built yet` }
  if (problems.length > 0) return { unsaved: 'not everything finds a place' }
  const slots = Object.fromEntries(
    placements.map(({ entrypoint, nodes }) => [
      entrypoint,
      nodes.flatMap(({ node, count }) => Array(count).fill(node)),
    ]),
  )
  const used = [...new Set(Object.values(slots).flat())] as string[]
  return {
    saved: {
      ...{ app: pool.app, pool: pool.name, release: release ?? pool.release ?? '', generation: pool.generation },
      replicas: Object.fromEntries(services(pool).map(({ name, wanted }) => [name, replicas[name] ?? wanted])),
      slots,
      digests: Object.fromEntries(used.map((node) => [node, digestOf(store.get('listNodes', node))])),
      plannedAt: Date.now(),
    },
  }
}

function applyPlan(store: MockStore, simulation: Simulation, pool: PoolView, saved: SavedPlan): Answer<'applyPlan'> {
  const moved = Object.entries(saved.digests)
    .filter(([node, digest]) => digestOf(store.get('listNodes', node)) !== digest)
    .map(([node]) => `${node} has changed, or what is given out there`)
  if (moved.length > 0)
    throw new BerthError(
      'plan.stale',
      `apply the plan of ${new Date(saved.plannedAt).toISOString()}: ${moved.join('; ')}; plan again`,
      { details: { moved } },
    )
  const entrypoints = pool.entrypoints.map((each) => ({
    ...each,
    wanted: saved.replicas[each.name] ?? each.wanted,
    setBy: saved.replicas[each.name] === undefined ? each.setBy : ('scale' as const),
  }))
  const scaled = { ...pool, entrypoints }
  if (saved.release !== pool.release) return { pool, rollout: simulation.rollout(scaled, saved.release, 'deploy') }
  const app = need(store.get('listApps', pool.app), `app ${pool.app}`)
  store.put('listApps', { ...app, pools: app.pools.map((each) => (each.name === pool.name ? scaled : each)) })
  return { pool: scaled }
}
