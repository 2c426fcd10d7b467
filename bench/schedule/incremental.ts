import { Books, type InstanceRequest } from '../../packages/core/src/index.ts'
import { type Figure, type FigureContext, type FigureResult, median } from '../figure.ts'
import { machine, timed } from './measure.ts'
import { boundRule, mixedNodes, smallArrivals } from './workload.ts'

const nodes = 10_000
const apps = 400
const few = 10_000
const many = 1_000_000
const sampleSize = 2000
const rounds = 15
const wantedRatio = 2

/** What the one more asks beside its size. */
const kinds: Readonly<Record<string, (request: InstanceRequest) => InstanceRequest>> = {
  spread: (request) => request,
  pack: (request) => ({ ...request, strategy: { type: 'pack' } }),
  'spread over sites, anti-affinity': (request) => ({
    ...request,
    spread: { over: 'site' },
    apart: [{ app: `app-${(Number(/\d+/.exec(request.entrypoint)?.[0]) + 1) % apps}` }],
  }),
  'the largest app': (request) => ({ ...request, entrypoint: 'large/production/web' }),
}

export const figure: Figure = {
  name: 'schedule-incremental',
  description: `one more instance on ${nodes} nodes: with ${many} placed already, against ${few}`,
  unit: 'µs of processor time, worst kind',
  peer: `the same with ${few} placed`,
  target: `<= ${wantedRatio}`,
  run,
}

async function run({ log, signal }: FigureContext): Promise<FigureResult> {
  const small = booksWith(few)
  log(`${few} placed`)
  const large = booksWith(many)
  log(`${many} placed`)
  const ratios: number[] = []
  const notes: string[] = []
  let worst = { ours: 0, peer: 0 }
  for (const [kind, shape] of Object.entries(kinds)) {
    const pairs: { ours: number; peer: number }[] = []
    for (let round = -2; round < rounds && !signal.aborted; round++) {
      const pair = { ours: costUs(large, shape, round), peer: costUs(small, shape, round) }
      if (round >= 0) pairs.push(pair)
    }
    const ours = median(pairs.map((pair) => pair.ours))
    const peer = median(pairs.map((pair) => pair.peer))
    const ratio = median(pairs.map((pair) => pair.ours / pair.peer))
    if (ratio > Math.max(0, ...ratios)) worst = { ours, peer }
    ratios.push(ratio)
    notes.push(
      `${kind}: ${ours.toFixed(1)} µs against ${peer.toFixed(1)} µs of processor time: ${ratio.toFixed(2)}; ${Math.round(1e6 / ours)} placements/s`,
    )
    log(notes.at(-1)!)
  }
  const ratio = Math.max(...ratios)
  return {
    ...worst,
    ratio,
    ok: ratio <= wantedRatio,
    samples: ratios,
    notes: [...notes, machine()],
  }
}

function booksWith(count: number): Books {
  const books = new Books()
  books.putGroup('bound', boundRule)
  for (const node of mixedNodes(nodes, 7)) books.putNode(node)
  const source = smallArrivals(5, apps)
  for (let index = 0; index < count; index++) {
    // A tenth belongs to one app, which has many on every node in the end.
    const request = source.next().value
    const decision = books.place(`i${index}`, index % 10 === 0 ? kinds['the largest app']!(request) : request)
    if (!decision.placed) throw new Error(decision.refusal.message)
  }
  return books
}

/** Processor time of placing one more, in microseconds: others have their turn on the machine, too. The books are left as they were. */
function costUs(books: Books, shape: (request: InstanceRequest) => InstanceRequest, round: number): number {
  const source = smallArrivals(1000 + round, apps)
  const requests = Array.from({ length: sampleSize }, () => shape(source.next().value))
  const { cpuMs } = timed(() => {
    for (const [index, request] of requests.entries()) books.place(`more-${index}`, request)
  })
  for (let index = 0; index < sampleSize; index++) if (!books.release(`more-${index}`)) throw new Error('not placed')
  return (cpuMs * 1000) / sampleSize
}
