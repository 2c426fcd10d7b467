import { Books } from '../../packages/core/src/index.ts'
import { type Figure, type FigureContext, type FigureResult, median } from '../figure.ts'
import { machine, ms, type Times, timed } from './measure.ts'
import { boundRule, gibibyte } from './workload.ts'

const nodes = 10_000
const instances = 180_000
const rounds = 9
const warmUps = 3
const wantedMs = 150
const eruMs = 413

/** Eru's own benchmark of its CPU scheduler, in our books: every instance gets core numbers, and all are entered. */
export const figure: Figure = {
  name: 'schedule-batch',
  description: `${instances} instances of 1.3 CPU in one batch on ${nodes} nodes of 24 cores, cores assigned`,
  unit: 'ms',
  peer: "Eru, on its authors' machine",
  peerKind: 'published',
  target: `< ${wantedMs} ms`,
  run,
}

async function run({ log, signal }: FigureContext): Promise<FigureResult> {
  const ids = Array.from({ length: instances }, (_, index) => `shop.production.web-${index}`)
  const wall: number[] = []
  const cpu: number[] = []
  let quality = ''
  let cold: Times | undefined
  for (let round = -warmUps; round < rounds && !signal.aborted; round++) {
    const books = makeBooks()
    let placed = 0
    const times = timed(() => {
      placed = books.placeBatch(ids, {
        entrypoint: 'shop/production/web',
        group: 'bound',
        cpuMilli: 1300,
        memoryBytes: 0,
      }).placed
    })
    quality = describe(books, placed)
    log(`${round < 0 ? 'warm-up' : 'round'}: ${ms(times.wallMs)}, ${ms(times.cpuMs)} of processor time`)
    cold ??= times
    if (round < 0) continue
    wall.push(times.wallMs)
    cpu.push(times.cpuMs)
  }
  const ours = median(wall)
  return {
    ours,
    peer: eruMs,
    ratio: ours / eruMs,
    ok: ours < wantedMs && quality.startsWith(`${instances} placed`),
    samples: wall,
    notes: [
      `rate ${Math.round(instances / (ours / 1000))} placements/s; processor time ${ms(median(cpu))}; the first batch of a process: ${ms(cold?.wallMs ?? Number.NaN)}, ${ms(cold?.cpuMs ?? Number.NaN)} of processor time`,
      `quality: ${quality}`,
      machine(),
    ],
  }
}

function makeBooks(): Books {
  const books = new Books()
  books.putGroup('bound', boundRule)
  for (let index = 0; index < nodes; index++)
    books.putNode({ name: `node-${index}`, group: 'bound', cpuMilli: 24_000, memoryBytes: 96 * gibibyte })
  return books
}

/** Counts what was given out from the core maps, not from the books' sums. */
function describe(books: Books, placed: number): string {
  let whole = 0
  let fragments = 0
  let twice = 0
  for (let index = 0; index < nodes; index++) {
    for (const { owners } of books.coreMap(`node-${index}`)) {
      const sum = owners.reduce((total, owner) => total + owner.milli, 0)
      if (sum > 1000) twice++
      if (owners[0]?.milli === 1000) whole++
      else fragments += owners.length
    }
  }
  return `${placed} placed, ${whole} whole cores and ${fragments} fragments given out, ${twice} cores given out twice`
}
