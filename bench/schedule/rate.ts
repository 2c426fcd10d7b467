import { Books, type InstanceRequest } from '../../packages/core/src/index.ts'
import { type Figure, type FigureContext, type FigureResult, median } from '../figure.ts'
import { machine, timed } from './measure.ts'
import { arrivals, boundRule, mixedNodes } from './workload.ts'

const nodes = 5000
const apps = 400
const rounds = 5
const warmUps = 2
/** About half of what the nodes hold. */
const placements = 40_000

const resourcesPerSecond = 100_000
const constrainedPerSecond = 20_000

/** Mixed shapes in the order of their arrival, every decision made by itself: each request is an object of its own, and no answer is used twice. */
export const figure: Figure = {
  name: 'schedule-rate',
  description: `placements on ${nodes} nodes: resources only, and with spread over sites plus hard anti-affinity`,
  unit: 'placements/s',
  peer: "kube-scheduler's own floor for 5,000 nodes, resources only",
  peerKind: 'published',
  target: `>= ${resourcesPerSecond}/s, and >= ${constrainedPerSecond}/s constrained`,
  run,
}

const peerPerSecond = 680
const peerConstrained = '24 to 60'

async function run({ log, signal }: FigureContext): Promise<FigureResult> {
  const resources: Sample[] = []
  const constrained: Sample[] = []
  for (let round = -warmUps; round < rounds && !signal.aborted; round++) {
    const seed = 100 + round
    const plain = sample(seed, (request) => request)
    const bound = sample(seed, constrain)
    log(
      `${round < 0 ? 'warm-up' : 'round'}: ${Math.round(plain.perSecond)}/s, constrained ${Math.round(bound.perSecond)}/s`,
    )
    if (round < 0) continue
    resources.push(plain)
    constrained.push(bound)
  }
  const ours = median(resources.map((each) => each.perSecond))
  const ourConstrained = median(constrained.map((each) => each.perSecond))
  const sound = [...resources, ...constrained].every((each) => each.placed === placements && each.broken === 0)
  return {
    ours,
    peer: peerPerSecond,
    ratio: ours / peerPerSecond,
    ok: ours >= resourcesPerSecond && ourConstrained >= constrainedPerSecond && sound,
    samples: resources.map((each) => each.perSecond),
    notes: [
      `by processor time: ${Math.round(median(resources.map((each) => each.perCpuSecond)))}/s`,
      `constrained: ${Math.round(ourConstrained)}/s (by processor time ${Math.round(median(constrained.map((each) => each.perCpuSecond)))}/s); kube-scheduler's floors are ${peerConstrained}/s`,
      `quality: ${describe(constrained)}`,
      machine(),
    ],
  }
}

interface Sample {
  readonly perSecond: number
  readonly perCpuSecond: number
  readonly placed: number
  /** Rules that were broken. */
  readonly broken: number
  /** The largest difference between sites within an entrypoint. */
  readonly skew: number
}

function sample(seed: number, shape: (request: InstanceRequest, app: number) => InstanceRequest): Sample {
  const books = new Books()
  books.putGroup('bound', boundRule)
  for (const node of mixedNodes(nodes, 7)) books.putNode(node)
  const source = arrivals(seed, apps)
  const requests = Array.from({ length: placements }, () => {
    const request = source.next().value
    return shape(request, Number(/\d+/.exec(request.entrypoint)?.[0]))
  })
  let placed = 0
  const { wallMs, cpuMs } = timed(() => {
    for (const [index, request] of requests.entries()) if (books.place(`i${index}`, request).placed) placed++
  })
  const perSecond = placements / (wallMs / 1000)
  return { perSecond, perCpuSecond: placements / (cpuMs / 1000), placed, ...inspect(books, requests) }
}

/** Not beside another of the same entrypoint nor beside the next app's, evenly over the sites. */
const constrain = (request: InstanceRequest, app: number): InstanceRequest => ({
  ...request,
  spread: { over: 'site' },
  apart: [
    { app: `app-${app}`, entrypoint: 'web' },
    { app: `app-${(app + 1) % apps}`, entrypoint: 'web' },
  ],
})

function inspect(books: Books, requests: readonly InstanceRequest[]): Pick<Sample, 'broken' | 'skew'> {
  let broken = 0
  const bySite = new Map<string, number[]>()
  for (const [index, node] of mixedNodes(nodes, 7).entries()) {
    const here = books.instancesOn(node.name).map((id) => requests[Number(id.slice(1))]!)
    const entrypoints = new Set(here.map((request) => request.entrypoint))
    for (const request of here) {
      const counts = bySite.get(request.entrypoint) ?? [0, 0, 0]
      counts[index % 3] = counts[index % 3]! + 1
      bySite.set(request.entrypoint, counts)
      const next = request.apart?.[1]
      if (next !== undefined && entrypoints.has(`${next.app}/production/web`)) broken++
    }
    if (here[0]?.apart !== undefined && entrypoints.size !== here.length) broken++
  }
  const skew = Math.max(...[...bySite.values()].map((counts) => Math.max(...counts) - Math.min(...counts)))
  return { broken, skew }
}

const describe = (samples: readonly Sample[]): string =>
  `all placed, ${samples.reduce((sum, each) => sum + each.broken, 0)} rules broken, sites of an entrypoint differ by at most ${Math.max(...samples.map((each) => each.skew))}`
