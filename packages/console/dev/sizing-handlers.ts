import type { InstanceView } from '@berth/api/instance-resources'
import type { AdviceView, InstanceResizeView, ResizeView, SizesView } from '@berth/api/sizing-resources'
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
    getAdvice: () => ({ items: advice(store), missing: [] }),
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

const sizesOf = ({ cpuMilli, memoryBytes, inBitsPerSecond, outBitsPerSecond }: SizesView): SizesView => ({
  ...(inBitsPerSecond === undefined ? {} : { inBitsPerSecond }),
  ...(outBitsPerSecond === undefined ? {} : { outBitsPerSecond }),
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

const GiB = 1024 ** 3

interface Sizes {
  readonly cpuMilli: number
  readonly memoryBytes: number
}

function advice(store: MockStore): AdviceView[] {
  const pools = store.all('listApps').flatMap((app) => app.pools)
  return pools.flatMap((pool) =>
    pool.entrypoints
      .filter(({ type }) => type === 'service')
      .map((each): AdviceView => {
        const { cpuMilli = 500, memoryBytes = GiB } = each
        const advised = advisedOf(pool.app, each.name)
        const base = {
          ...{ app: pool.app, pool: pool.name, entrypoint: each.name, type: 'service' as const },
          ...{ instances: each.wanted, asked: sizesOf(each) },
        }
        if (pool.app === 'fraud') return { ...base, kind: 'wait', moreMs: 42 * 60_000, reasons: [] }
        const same = advised === undefined || JSON.stringify(advised) === JSON.stringify(sizesOf(each))
        if (same) return { ...base, kind: 'keep', reasons: [] }
        return {
          ...base,
          kind: 'change',
          advised,
          used: {
            ...{ samples: 302_400, firstAt: Date.now() - 7 * 86_400_000, lastAt: Date.now() },
            ...{ cpuP50Milli: advised.cpuMilli / 3, cpuP95Milli: Math.round(advised.cpuMilli * 0.6) },
            ...{ cpuP99Milli: Math.round(advised.cpuMilli * 0.7), cpuMaxMilli: Math.round(advised.cpuMilli * 0.83) },
            ...{ memoryMaxBytes: advised.memoryBytes * 0.8, throttledMilli: 0, restarts: 0, outOfMemory: 0 },
          },
          confidence: pool.app === 'search' ? 'high' : 'medium',
          reasons: [`it was below ${(advised.cpuMilli * 0.6) / 1000} cores 95 % of the last week`],
          frees: {
            cpuMilli: (cpuMilli - advised.cpuMilli) * each.wanted,
            memoryBytes: (memoryBytes - advised.memoryBytes) * each.wanted,
          },
          command: `berth resize ${pool.app}/${each.name} --cpu ${advised.cpuMilli / 1000}`,
          yaml: [`cpu: ${advised.cpuMilli / 1000}`, `memory: ${advised.memoryBytes / 1024 ** 2}Mi`],
        }
      }),
  )
}

function advisedOf(app: string, entrypoint: string): Sizes | undefined {
  if (app === 'search' && entrypoint === 'index') return { cpuMilli: 3000, memoryBytes: 2 * GiB }
  if (app === 'video' && entrypoint === 'transcode') return { cpuMilli: 12_000, memoryBytes: GiB }
  return app === 'ledger' ? { cpuMilli: 1300, memoryBytes: 4 * GiB } : undefined
}
