import type { InstanceView } from '@berth/api/resources'
import type { InstanceResizeView, ResizeView, SizesView } from '@berth/api/sizing-resources'
import { BerthError } from '@berth/core/model/berth-error'
import { type JsonHandlers, need } from './handlers.ts'
import type { MockStore } from './mock-store.ts'

interface Wanted extends SizesView {
  readonly asWritten?: boolean
  readonly dryRun?: boolean
}

/** CPU and memory of what runs. */
export function sizingHandlers(store: MockStore): JsonHandlers {
  return {
    resizeEntrypoint: ({ params: { app = '', pool = '', entrypoint = '' }, body }) => {
      const found = need(store.get('listApps', app), `app ${app}`)
      const entry = need(
        found.pools.find((each) => each.name === pool)?.entrypoints.find((each) => each.name === entrypoint),
        `entrypoint ${app}/${entrypoint}`,
      )
      const before = sizesOf(entry)
      const written = entry.written ?? before
      const view = resize(
        store,
        { app, pool, entrypoint },
        before,
        written,
        body,
        instancesOf(store, app, pool, entrypoint),
      )
      if (body.dryRun === true) return view
      const { written: _, ...plain } = entry
      const same = JSON.stringify(view.after) === JSON.stringify(written)
      const changed = { ...plain, ...view.after, ...(same ? {} : { written }) }
      const pools = found.pools.map((each) =>
        each.name === pool
          ? { ...each, entrypoints: each.entrypoints.map((other) => (other.name === entrypoint ? changed : other)) }
          : each,
      )
      store.put('listApps', { ...found, pools })
      return view
    },
    resizeInstance: ({ params: { id = '' }, body }) => {
      const instance = need(store.get('listInstances', id), `instance ${id}`)
      const { app, pool, entrypoint } = instance
      return resize(store, { app, pool, entrypoint }, sizesOf(instance), sizesOf(instance), body, [instance])
    },
  }
}

const sizesOf = ({ cpuMilli, memoryBytes }: SizesView): SizesView => ({
  ...(cpuMilli === undefined ? {} : { cpuMilli }),
  ...(memoryBytes === undefined ? {} : { memoryBytes }),
})

const instancesOf = (store: MockStore, app: string, pool: string, entrypoint: string): InstanceView[] =>
  store
    .all('listInstances')
    .filter((each) => each.app === app && each.pool === pool && each.entrypoint === entrypoint)
    .filter(({ phase }) => phase !== 'ended')

function resize(
  store: MockStore,
  target: Pick<ResizeView, 'app' | 'pool' | 'entrypoint'>,
  before: SizesView,
  written: SizesView,
  { asWritten, dryRun, ...wanted }: Wanted,
  instances: readonly InstanceView[],
): ResizeView {
  if (asWritten !== true && Object.keys(wanted).length === 0)
    throw new BerthError('resize.nothing', `resize ${target.app}/${target.entrypoint}: say how much CPU or memory`)
  const after = asWritten === true ? written : { ...before, ...sizesOf(wanted) }
  const effects = instances.map((each) => effectOf(store, each, after))
  const nowhere = effects.filter(({ how }) => how === 'nowhere').length
  if (dryRun !== true)
    for (const [index, each] of instances.entries())
      if (effects[index]?.how === 'in-place') store.put('listInstances', { ...each, ...after })
  return {
    ...target,
    ...{ before, after, written, instances: effects },
    changes: JSON.stringify(before) !== JSON.stringify(after),
    problems: nowhere === 0 ? [] : [`${nowhere} of ${effects.length} find no place with these sizes`],
  }
}

function effectOf(store: MockStore, instance: InstanceView, after: SizesView): InstanceResizeView {
  const { id, name, cpuMilli = 0 } = instance
  const node = store.get('listNodes', instance.node ?? '')
  const more = (after.cpuMilli ?? 0) - cpuMilli
  const base = { instance: id, name, before: sizesOf(instance), ...(node === undefined ? {} : { node: node.name }) }
  const free = node === undefined ? 0 : node.cpuMilli - node.cpuGivenMilli
  if ((after.cpuMilli ?? 0) > 256_000)
    return { ...base, how: 'nowhere', reason: '2 nodes: 2 too little CPU (most free: mast-2, 89.3 of 300)' }
  return more > free
    ? { ...base, how: 'replace', to: 'mast-2', reason: `${node?.name} has ${free / 1000} cores left` }
    : { ...base, how: 'in-place', after }
}
