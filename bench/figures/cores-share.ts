import { measureCores } from '../cores-bench.ts'
import type { Figure } from '../figure.ts'

const minPart = 0.9
/** Of the cores that an instance is on, when it is alone on them. */
const minAlone = 0.9

/** Neighbours on a shared core never push each other below the promise, and what one leaves idle the other may use. */
export const figure: Figure = {
  name: 'cores-share',
  description: 'CPU time of 1.2 and 0.8 CPUs with `burst: share` under full load: smallest part of the promise',
  unit: 'of the promise',
  peer: 'none',
  peerKind: 'none',
  target: `>= ${minPart}`,
  async run(context) {
    const { busy, alone, notes } = await measureCores('share', context)
    const samples = busy.flatMap(({ kept }) => kept)
    const ours = Math.min(...samples)
    const [first = 0, second = 0] = [(alone[0]?.used[0] ?? 0) / 2, alone[1]?.used[1]]
    const usable = `with an idle neighbour: ${(first * 2).toFixed(2)} of 2 cores for 1.2 CPUs, ${second.toFixed(2)} of 1 for 0.8`
    const ok = ours >= minPart && first >= minAlone && second >= minAlone
    return { ours, peer: Number.NaN, ratio: Number.NaN, ok, samples, notes: [usable, ...notes] }
  },
}
