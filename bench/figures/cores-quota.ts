import { measureCores } from '../cores-bench.ts'
import type { Figure } from '../figure.ts'

const maxDeviation = 5

/** An instance that wants a limit gets what was promised: no less, and no more even when its neighbour is idle. */
export const figure: Figure = {
  name: 'cores-quota',
  description: 'CPU time of 1.2 and 0.8 CPUs with `burst: quota` under full load: largest deviation from the promise',
  unit: '%',
  peer: 'none',
  peerKind: 'none',
  target: `<= ${maxDeviation} %`,
  async run(context) {
    const { busy, alone, notes } = await measureCores('quota', context)
    // Who has nothing to run counts as content.
    const samples = [...busy, ...alone].flatMap(({ kept }) => kept.map((part) => Math.abs(part - 1) * 100))
    const ours = Math.max(...samples)
    return { ours, peer: Number.NaN, ratio: Number.NaN, ok: ours <= maxDeviation, samples, notes }
  },
}
