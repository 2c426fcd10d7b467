import { type Figure, type FigureContext, type FigureResult, median } from '../figure.ts'
import { describePairs, measurePairs, medianRatio, openGatewayBench } from '../gateway-bench.ts'

const pairs = 24
const barePairs = 12
const minimumRatio = 0.94

/** What it costs that members are data: Berth's gateway against plain nginx with the same members in its configuration. */
export const figure: Figure = {
  name: 'gateway-steady',
  description: 'requests/s through the gateway, one worker on one CPU, four members, no failed request',
  unit: 'requests/s',
  peer: 'plain nginx, static upstream',
  target: `>= ${minimumRatio}`,
  run,
}

async function run({ signal, log }: FigureContext): Promise<FigureResult> {
  await using bench = await openGatewayBench(4)
  await bench.measureOurs()
  await bench.measurePeer()
  const measured = (count: number, bare: boolean) =>
    measurePairs(
      count,
      signal,
      () => bench.measureOurs({ bare }),
      () => bench.measurePeer({ bare }),
      log,
    )
  const results = await measured(pairs, false)
  const bare = await measured(barePairs, true)
  const failed = [...results, ...bare].reduce((sum, { ours }) => sum + ours.failed, 0)
  const ratio = medianRatio(results)
  const samples = results.map(({ ours }) => ours.requestsPerSecond)
  return {
    ours: median(samples),
    peer: median(results.map(({ peer }) => peer.requestsPerSecond)),
    ratio,
    ok: ratio >= minimumRatio && failed === 0,
    samples,
    notes: [
      `failed requests: ${failed}`,
      ...describePairs(results),
      `requests with no header but Host: ratio ${medianRatio(bare).toFixed(3)} (median of ${bare.length} pairs)`,
    ],
  }
}
