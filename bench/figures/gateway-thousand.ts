import { Agent, request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { type Figure, type FigureContext, type FigureResult, median, percentile } from '../figure.ts'
import {
  type Contender,
  type FleetBench,
  type FleetSample,
  hostOf,
  membersOf,
  membersPerRoute,
  memoryOf,
  openFleetBench,
  routeCount,
  spareAddress,
} from '../gateway-fleet.ts'
import type { Sample } from '../gateway-load.ts'

const rounds = 20
const minimumRatio = 0.97
const changeMs = 500
const mostVisibleMs = 50
const peerRounds = 6
const oursChanges = 100
const peerChanges = 20

/**
 * A gateway for many: every request goes to another of 1,000 routes, and so to another of 10,000 members, the least that a pool of idle
 * connections can like. Steady, and with members changing; plain nginx has the same as server blocks and upstreams.
 */
export const figure: Figure = {
  name: 'gateway-thousand',
  description: `requests/s with ${routeCount.toLocaleString('en')} routes and ${(routeCount * membersPerRoute).toLocaleString('en')} members, the lower ratio of steady and a member changing every ${changeMs} ms; change visible p99`,
  unit: 'requests/s',
  peer: 'plain nginx, static, nothing changes',
  target: `>= ${minimumRatio}, < ${mostVisibleMs} ms`,
  run,
}

async function run(context: FigureContext): Promise<FigureResult> {
  const { signal, log } = context
  await using bench = await openFleetBench()
  const { ours, plain } = bench
  await bench.measure(plain, 2)
  await bench.measure(ours, 2)
  const results = await measureRounds(bench, ours, rounds, context)
  const memory = [await describeMemory(ours), await describeMemory(plain)]
  const visible = await visibleUnderLoad(bench, ours, oursChanges, signal)
  log(`gateway: ${describeVisible(visible)}`)
  const peers = [await measureHaproxy(bench, context), await measureReloads(bench, context)]
  const steady = ratioOf(results.map((round) => [round.steady, round.besideSteady]))
  const churn = ratioOf(results.map((round) => [round.churn, round.besideChurn]))
  const failed = results.reduce((sum, round) => sum + round.steady.failed + round.churn.failed, 0)
  const slowest = Math.max(percentile(visible.seen, 99), percentile(visible.gone, 99))
  const worse = churn < steady ? 'churn' : 'steady'
  const samples = results.map((round) => round[worse].requestsPerSecond)
  const sides = {
    steady: results.map((each) => each.steady),
    changing: results.map((each) => each.churn),
    plain: plainOf(results),
  }
  const describe = (what: (samples: readonly FleetSample[]) => string) =>
    Object.entries(sides)
      .map(([name, each]) => `${name} ${what(each)}`)
      .join(', ')
  return {
    ours: median(samples),
    peer: median(sides.plain.map((sample) => sample.requestsPerSecond)),
    ratio: Math.min(steady, churn),
    ok: Math.min(steady, churn) >= minimumRatio && failed === 0 && visible.failed === 0 && slowest < mostVisibleMs,
    samples,
    notes: [
      `steady: ratio ${steady.toFixed(3)}; a member changing every ${changeMs} ms: ${churn.toFixed(3)} (medians of ${results.length} pairs each)`,
      `failed requests: ${failed}`,
      `CPU of the worker per request: ${describe((each) => `${(median(each.map(({ cpuNs }) => cpuNs)) / 1000).toFixed(2)} µs`)}`,
      `worker's CPU in use: ${describe((each) => `${Math.round(100 * median(each.map(({ busy }) => busy)))} %`)}`,
      `new connections to members per request: ${describe((each) => median(each.map(({ opened }) => opened)).toFixed(3))}`,
      `change under load: ${describeVisible(visible)}`,
      ...memory,
      ...peers.flat(),
    ],
  }
}

/** Two pairs: ours steady and while members change, each beside plain nginx. */
interface Round {
  readonly steady: FleetSample
  readonly besideSteady: FleetSample
  readonly churn: FleetSample
  readonly besideChurn: FleetSample
}

const plainOf = (rounds: readonly Round[]) => rounds.flatMap((round) => [round.besideSteady, round.besideChurn])

const ratioOf = (pairs: readonly (readonly [Sample, Sample])[]): number =>
  median(pairs.map(([ours, plain]) => ours.requestsPerSecond / plain.requestsPerSecond))

/** Both take turns, so that idle connections wait equally long for either; who comes first alternates, as machines drift. */
async function measureRounds(
  bench: FleetBench,
  contender: Contender,
  count: number,
  { signal, log }: FigureContext,
): Promise<Round[]> {
  const rounds: Round[] = []
  const plain = () => bench.measure(bench.plain)
  const pair = async (oursFirst: boolean, ours: () => Promise<FleetSample>) => {
    const first = oursFirst ? await ours() : undefined
    const beside = await plain()
    return [first ?? (await ours()), beside] as const
  }
  for (let round = 0; round < count; round++) {
    signal.throwIfAborted()
    const oursFirst = round % 2 === 0
    const [steady, besideSteady] = await pair(oursFirst, () => bench.measure(contender))
    const [churn, besideChurn] = await pair(oursFirst, () => whileChanging(contender, () => bench.measure(contender)))
    rounds.push({ steady, besideSteady, churn, besideChurn })
    const ratios = `steady ${ratioOf([[steady, besideSteady]]).toFixed(3)}, changing ${ratioOf([[churn, besideChurn]]).toFixed(3)}`
    log(`${contender.name}, round ${round + 1} of ${count}: ${ratios}`)
  }
  return rounds
}

let turn = 0
/** Another route's member each time. */
const changeOne = (contender: Contender): Promise<void> => {
  turn++
  return contender.change((turn * 7) % routeCount, turn % membersPerRoute, spareAddress())
}

async function whileChanging(contender: Contender, act: () => Promise<FleetSample>): Promise<FleetSample> {
  const abort = new AbortController()
  const changes = (async () => {
    while (!abort.signal.aborted) {
      await changeOne(contender)
      await delay(changeMs, undefined, { signal: abort.signal }).catch(() => {})
    }
  })()
  try {
    return await act()
  } finally {
    abort.abort()
    await changes
  }
}

interface Visible {
  /** Of each change: ms from the call to the first answer of the new member. */
  readonly seen: number[]
  /** Of each change: ms from the call to the start of the last request that the old member answered; 0 if none was begun since. */
  readonly gone: number[]
  failed: number
}

const describeVisible = ({ seen, gone, failed }: Visible) =>
  `first answer of the new member after ${median(seen).toFixed(1)} ms, p99 ${percentile(seen, 99).toFixed(1)} ms; last request to the old one begun after ${median(gone).toFixed(1)} ms, p99 ${percentile(gone, 99).toFixed(1)} ms (${seen.length} changes, ${failed} failed requests of who looked)`

/** Asks one route again and again while the load goes to all, and changes its members one after the other. */
async function visibleUnderLoad(
  bench: FleetBench,
  contender: Contender,
  changes: number,
  signal: AbortSignal,
): Promise<Visible> {
  const result: Visible = { seen: [], gone: [], failed: 0 }
  let over = false
  const load = (async () => {
    while (!over) await bench.measure(contender, 2)
  })()
  try {
    const agent = new Agent({ keepAlive: true, maxSockets: 4 })
    const present = [...membersOf(watchedRoute)]
    for (let turn = 0; turn < changes; turn++) {
      signal.throwIfAborted()
      await watchChange(contender, agent, turn % membersPerRoute, present, result)
    }
    agent.destroy()
  } finally {
    over = true
    await load
  }
  return result
}

const watchedRoute = 500
const watchMs = 5000
const restMs = 30

/** One change: what four who ask all the time see of it, until the new member has answered and a little longer. */
async function watchChange(
  contender: Contender,
  agent: Agent,
  place: number,
  present: string[],
  result: Visible,
): Promise<void> {
  const old = present[place]
  const next = spareAddress()
  present[place] = next
  const begin = performance.now()
  let seen = Number.POSITIVE_INFINITY
  let gone = 0
  const change = contender.change(watchedRoute, place, next)
  const look = async () => {
    while (performance.now() < Math.min(seen + begin + restMs, begin + watchMs)) {
      const asked = performance.now() - begin
      const answer = await ask(contender.port, agent)
      if (answer === undefined) result.failed++
      if (answer === next) seen = Math.min(seen, performance.now() - begin)
      if (answer !== undefined && answer === old) gone = Math.max(gone, asked)
    }
  }
  await Promise.all([change, look(), look(), look(), look()])
  result.seen.push(seen)
  result.gone.push(gone)
}

function ask(port: number, agent: Agent): Promise<string | undefined> {
  return new Promise((resolve) => {
    const headers = { host: hostOf(watchedRoute) }
    const call = request({ host: '127.0.0.1', port, path: '/where', headers, agent, timeout: 2000 }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (part) => {
        text += part
      })
      response.once('end', () => resolve(response.statusCode === 200 ? text : undefined))
      response.once('error', () => resolve(undefined))
    })
    call.once('timeout', () => call.destroy())
    call.once('error', () => resolve(undefined))
    call.end()
  })
}

async function describeMemory(contender: Contender): Promise<string> {
  const { pss, rss, workers } = await memoryOf(contender)
  return `memory of ${contender.name}: ${pss.toFixed(0)} MB (PSS), ${rss.toFixed(0)} MB resident in ${workers} worker${workers === 1 ? '' : 's'}`
}

async function measureHaproxy(bench: FleetBench, context: FigureContext): Promise<string[]> {
  const { haproxy } = bench
  await bench.measure(haproxy, 2)
  const results = await measureRounds(bench, haproxy, peerRounds, context)
  const steady = ratioOf(results.map((round) => [round.steady, round.besideSteady])).toFixed(3)
  const churn = ratioOf(results.map((round) => [round.churn, round.besideChurn])).toFixed(3)
  const failed = results.reduce((sum, round) => sum + round.steady.failed + round.churn.failed, 0)
  const memory = await describeMemory(haproxy)
  const visible = await visibleUnderLoad(bench, haproxy, peerChanges, context.signal)
  return [
    `haproxy by its runtime API: ratio steady ${steady}, changing ${churn} (${results.length} pairs each), failed requests ${failed}; ${describeVisible(visible)}; ${memory}`,
  ]
}

/** Last, since it leaves old workers behind. */
async function measureReloads(bench: FleetBench, { signal, log }: FigureContext): Promise<string[]> {
  const { plain } = bench
  const pairs: (readonly [Sample, Sample])[] = []
  let most = { pss: 0, rss: 0, workers: 0 }
  for (let round = 0; round < peerRounds; round++) {
    signal.throwIfAborted()
    const still = await bench.measure(plain)
    const reloading = await whileChanging(plain, () => bench.measure(plain, 2))
    const memory = await memoryOf(plain)
    if (memory.pss > most.pss) most = memory
    pairs.push([reloading, still])
    await delay(changeMs)
  }
  const ratio = ratioOf(pairs)
  const requests = pairs.reduce((sum, pair) => sum + pair[0].requests, 0)
  const failed = pairs.reduce((sum, pair) => sum + pair[0].failed, 0)
  const visible = await visibleUnderLoad(bench, plain, peerChanges, signal)
  log(`plain nginx reloaded: ${ratio.toFixed(3)}; ${describeVisible(visible)}`)
  return [
    `plain nginx reloaded at every change: ratio ${ratio.toFixed(3)} (${pairs.length} pairs), ${failed} of ${requests} requests failed or cut; ${describeVisible(visible)}; memory ${most.pss.toFixed(0)} MB (PSS) in ${most.workers} workers, old ones among them`,
  ]
}
