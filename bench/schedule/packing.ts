import { Books, type InstanceRequest } from '../../packages/core/src/index.ts'
import type { Figure, FigureContext, FigureResult } from '../figure.ts'
import { machine, ms, timed } from './measure.ts'
import { boundRule, gibibyte, mebibyte, randomFrom } from './workload.ts'

const instances = 20_000
const node = { cpuMilli: 24_000, memoryBytes: 96 * gibibyte }
const wantedRatio = 1.02
const seeds = [1, 2, 3] as const

type Size = Required<Pick<InstanceRequest, 'cpuMilli' | 'memoryBytes'>>

/** CPU in tenths, memory in steps of 64 MiB; CPU and memory are drawn independently, which is the hardest to pack. */
const mixes: Readonly<Record<string, (random: () => number) => Size>> = {
  uniform: (random) => size(4 * random(), 16 * random()),
  'heavy-tailed': (random) => size(pareto(random, 0.2, 16), pareto(random, 0.5, 64)),
  '80/20': (random) =>
    random() < 0.8 ? size(0.1 + 0.9 * random(), 0.25 + 1.75 * random()) : size(2 + 6 * random(), 4 + 28 * random()),
}

const size = (cores: number, gibibytes: number): Size => ({
  cpuMilli: 100 * Math.max(1, Math.ceil(cores * 10)),
  memoryBytes: 64 * mebibyte * Math.max(1, Math.ceil(gibibytes * 16)),
})

/** Exponent 1.5: many small, few very large; cut at `most`. */
const pareto = (random: () => number, least: number, most: number): number =>
  Math.min(most, least / (1 - random()) ** (1 / 1.5))

export const figure: Figure = {
  name: 'schedule-packing',
  description: `nodes used by ${instances} instances in one batch, against the lower bound`,
  unit: 'nodes used ÷ bound, worst mix',
  peer: 'largest over all resources of demand ÷ what a node has',
  peerKind: 'none',
  target: `<= ${wantedRatio}`,
  run,
}

async function run({ log, signal }: FigureContext): Promise<FigureResult> {
  const ratios: number[] = []
  const notes: string[] = []
  for (const group of ['shared', 'bound']) {
    for (const [name, draw] of Object.entries(mixes)) {
      if (signal.aborted) break
      const results = seeds.map((seed) => pack(group, sizesOf(draw, seed)))
      const worst = results.reduce((a, b) => (b.used / b.bound > a.used / a.bound ? b : a))
      const rate = instances / (results.reduce((sum, each) => sum + each.wallMs, 0) / results.length / 1000)
      ratios.push(worst.used / worst.bound)
      notes.push(
        `${name}, ${group} cores: ${worst.used} nodes for at least ${worst.bound}: ${(worst.used / worst.bound).toFixed(4)}; ${Math.round(rate)} placements/s, ${ms(worst.cpuMs)} of processor time`,
      )
      log(notes.at(-1)!)
    }
  }
  const ours = Math.max(...ratios)
  return { ours, peer: 1, ratio: ours, ok: ours <= wantedRatio, samples: ratios, notes: [...notes, machine()] }
}

function sizesOf(draw: (random: () => number) => Size, seed: number): Size[] {
  const random = randomFrom(seed)
  return Array.from({ length: instances }, () => draw(random))
}

function pack(group: string, sizes: readonly Size[]) {
  const bound = lowerBound(sizes)
  const books = new Books()
  books.putGroup('bound', boundRule)
  books.putGroup('shared', { ...boundRule, cpu: 'shared' })
  for (let index = 0; index < bound * 2; index++) books.putNode({ ...node, name: `node-${index}`, group })
  const items = sizes.map((each, index) => ({
    id: `i${index}`,
    request: { ...each, entrypoint: `app-${index % 400}/production/web`, group, strategy: { type: 'pack' as const } },
  }))
  let placed = 0
  const times = timed(() => {
    for (const decision of books.placeAll(items)) if (decision.placed) placed++
  })
  if (placed !== instances) throw new Error(`${placed} of ${instances} placed`)
  let used = 0
  for (let index = 0; index < bound * 2; index++) if (books.instancesOn(`node-${index}`).length > 0) used++
  return { bound, used, ...times }
}

function lowerBound(sizes: readonly Size[]): number {
  const cpu = sizes.reduce((sum, each) => sum + each.cpuMilli, 0) / node.cpuMilli
  const memory = sizes.reduce((sum, each) => sum + each.memoryBytes, 0) / node.memoryBytes
  return Math.ceil(Math.max(cpu, memory))
}
